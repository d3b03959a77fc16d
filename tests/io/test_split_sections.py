from __future__ import annotations

import numpy as np
import pytest

from napari_semst import keys
from napari_semst.errors import InputError
from napari_semst.io.alignment import image_placement
from napari_semst.io.manual_alignment import Adjustment, adjust
from napari_semst.io.places.landmarks import register_image
from napari_semst.io.split_sections import shown_section_key, split_sections
from napari_semst.registration.landmarks import landmarks_from
from tests.widgets.stand_in import small_tissue


@pytest.fixture
def tissue():
    tissue = small_tissue()
    # In turns: the spots of a section need not stand together.
    tissue.obs["slide"] = np.where(np.arange(120) % 3 == 0, "one", "two")
    return tissue


def libraries(parts):
    return [part.library for part in parts]


def test_sections_come_with_their_own_places_and_libraries(tissue):
    tissue.uns["spatial"]["two"] = dict(tissue.uns["spatial"]["one"])
    first, second = parts = split_sections(tissue, "slide", "spatial")
    assert [part.name for part in parts] == libraries(parts) == ["one", "two"]
    assert list(first.spots[:3]) == [0, 3, 6]
    np.testing.assert_array_equal(
        second.tissue.obsm["spatial"], tissue.obsm["spatial"][second.spots]
    )
    assert list(second.tissue.uns["spatial"]) == ["two"]


def test_sections_keep_what_puts_their_images_where_they_lie(tissue):
    places = np.array([[0.0, 0.0], [900.0, 100.0], [100.0, 800.0]])
    register_image(tissue, "one", landmarks_from(places, places[:, ::-1] + 50.0))
    adjust(tissue, "one", Adjustment(shift_x=7.0))
    whole = image_placement(tissue)
    for part in split_sections(tissue, "slide", "spatial"):
        if part.library is not None:
            alone = image_placement(part.tissue, part.library)
            assert alone.translate == whole.translate
            assert np.array_equal(alone.image, whole.image)
            break
    else:
        pytest.fail("no section has the image")


def test_a_library_is_found_by_the_column_that_names_it(tissue):
    entry = tissue.uns["spatial"].pop("one")
    tissue.uns["spatial"] |= {"V1": entry, "V2": entry}
    assert libraries(split_sections(tissue, "slide")) == [None, None]
    tissue.obs["library_id"] = np.where(tissue.obs["slide"] == "one", "V2", "V1")
    assert libraries(split_sections(tissue, "slide")) == ["V2", "V1"]


def test_the_one_image_is_of_all_pieces_but_not_of_all_joined_sections(tissue):
    tissue.uns["spatial"]["slide 7"] = tissue.uns["spatial"].pop("one")
    assert libraries(split_sections(tissue, "slide")) == ["slide 7", "slide 7"]
    tissue.obs[keys.SECTION] = tissue.obs["slide"]
    tissue.uns["spatial"]["two"] = tissue.uns["spatial"].pop("slide 7")
    assert libraries(split_sections(tissue, keys.SECTION)) == [None, "two"]


def test_what_a_run_was_told_goes_before_what_was_joined(tissue):
    assert shown_section_key(tissue) == ""
    tissue.obs[keys.SECTION] = "a"
    assert shown_section_key(tissue) == keys.SECTION
    told = {"config": {"prepare": {"section_key": "slide"}}}
    tissue.uns[keys.RUNS] = {"old": told, "new": {"config": {}}, "odd": {"config": 1}}
    tissue.uns[keys.LATEST] = "new"
    assert shown_section_key(tissue) == keys.SECTION
    assert shown_section_key(tissue, "old") == "slide"
    assert shown_section_key(tissue, "odd") == keys.SECTION


def test_a_column_with_gaps_is_refused(tissue):
    tissue.obs["slide"] = tissue.obs["slide"].astype(object)
    tissue.obs.loc["spot-3", "slide"] = None
    with pytest.raises(InputError, match="1 of 120 have none"):
        split_sections(tissue, "slide")
