"""The dock Open data."""

from __future__ import annotations

import pytest

from napari_semst.widgets.open.widget import OpenData
from tests.widgets.docks import docked


@pytest.fixture
def dock(viewer):
    return docked(OpenData, viewer)
