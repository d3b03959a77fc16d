"""The dock Explore domains."""

from __future__ import annotations

import pytest

from napari_semst.widgets.explore.widget import ExploreDomains
from tests.widgets.docks import add, docked


@pytest.fixture
def dock(viewer):
    return docked(ExploreDomains, viewer)


@pytest.fixture
def layer(viewer, dock, tissue):
    """The spots of the section in the dock."""
    return add(viewer, tissue)
