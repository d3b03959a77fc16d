"""The dock Find domains, and its settings alone."""

from __future__ import annotations

import pytest

from napari_semst.widgets.find.settings import SettingsForm
from napari_semst.widgets.find.widget import FindDomains
from tests.widgets.docks import docked


@pytest.fixture
def dock(viewer, pipeline):
    """The dock with the stand-in pipeline."""
    return docked(FindDomains, viewer)


@pytest.fixture
def real_dock(viewer):
    """The dock with the pipeline that users have."""
    return docked(FindDomains, viewer)


@pytest.fixture
def form(qtbot):
    made = SettingsForm()
    qtbot.addWidget(made)
    return made
