"""Another image added to a section: where it lies, what reads it, how it goes."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_semst import add_image, keys, read, register_image, remove_image, write
from napari_semst.config.settings import MorphologyConfig
from napari_semst.errors import InputError
from napari_semst.figure.view import section_view
from napari_semst.io.alignment import image_placement, spot_size
from napari_semst.io.concat_sections import join_sections
from napari_semst.io.formats.tiff import pyramid_of
from napari_semst.io.notes import input_warnings
from napari_semst.io.places import added_image
from napari_semst.io.places.landmarks import landmarks_of
from napari_semst.io.sections import (
    ADDED,
    libraries,
    library_column,
    spots_of,
    the_library,
)
from napari_semst.morphology.sections import imaged_parts, slide_of
from napari_semst.registration.landmarks import landmarks_from
from napari_semst.session.actions import Action
from napari_semst.session.python_code import session_code
from tests.io.folders import write_xenium
from tests.registration.made import turn
from tests.widgets.stand_in import small_tissue


def stained(height=120, width=200):
    """Return an image that tells rows from columns."""
    image = np.zeros((height, width, 3), np.uint8)
    image[..., 0] = np.arange(height)[:, None]
    image[..., 1] = np.arange(width)
    image[..., 2] = 77
    return image


def write_tiff(path, image, size=None, levels=1):
    """Write an OME-TIFF with smaller copies, a pixel of which is `size` micrometres."""
    about = {} if size is None else {"PhysicalSizeX": size, "PhysicalSizeY": size}
    if size is not None:
        about |= {"PhysicalSizeXUnit": "µm", "PhysicalSizeYUnit": "µm"}
    with tifffile.TiffWriter(path, ome=True) as file:
        options = {"tile": (32, 32), "photometric": "rgb"}
        file.write(image, subifds=levels - 1, metadata=about, **options)
        for level in range(1, levels):
            small = image[:: 2**level, :: 2**level]
            file.write(small, subfiletype=1, **options)
    return path


@pytest.fixture
def section(tmp_path, tissue):
    """A run in micrometres with the image of its nuclei."""
    return read(write_xenium(tmp_path / "run", tissue))


def own_of(section):
    (own,) = [name for name in libraries(section) if name != "he"]
    return own


@pytest.mark.parametrize("ending", [".ome.tif", ".tif", ".png", ".jpg"])
def test_it_lies_at_the_origin_at_the_size_of_its_pixels(tmp_path, section, ending):
    path = tmp_path / f"he{ending}"
    stated = ending == ".ome.tif"
    if ending.endswith("tif"):
        write_tiff(path, stained(), 2.5 if stated else None)
    else:
        Image.fromarray(stained()).save(path, quality=95)
    before = image_placement(section, own_of(section))
    name = add_image(section, path, pixel_size=None if stated else 2.5)
    assert name == "he"
    placement = image_placement(section, "he")
    np.testing.assert_allclose(placement.bounds(), [[0, 0], [300, 500]])
    # JPEG loses some.
    np.testing.assert_allclose(
        placement.image.astype(int), stained(), atol=60 if ending == ".jpg" else 0
    )
    assert not any("pixels is not known" in text for text in input_warnings(section))
    after = image_placement(section, own_of(section))
    np.testing.assert_array_equal(after.image, before.image)
    np.testing.assert_allclose(after.bounds(), before.bounds())


def test_without_a_scale_it_is_as_long_as_the_section_and_told(tmp_path, section):
    path = write_tiff(tmp_path / "he.tif", stained())
    add_image(section, path)
    bounds = image_placement(section, "he").bounds()
    reach = np.abs(section.obsm["spatial"]).max()
    np.testing.assert_allclose(bounds[1].max(), reach)
    assert any("the file states none" in text for text in input_warnings(section))
    plain = small_tissue()
    add_image(plain, write_tiff(tmp_path / "other.ome.tif", stained(), 0.5))
    assert any("does not tell its scale" in text for text in input_warnings(plain))


def test_a_large_file_is_drawn_from_the_file_and_reduced_in_memory(
    tmp_path, section, monkeypatch
):
    monkeypatch.setattr("napari_semst.io.formats.tiff.ENOUGH", 7000)
    path = write_tiff(tmp_path / "he.ome.tif", stained(), 2.0, levels=3)
    add_image(section, path)
    placement = image_placement(section, "he")
    assert placement.image.shape == (60, 100, 3)
    np.testing.assert_allclose(placement.bounds(), [[0, 0], [240, 400]])
    pyramid = pyramid_of(placement.unturned)
    assert next(level.shape[:2] for level in pyramid.levels) == (120, 200)
    monkeypatch.setattr(added_image, "_ENOUGH", 7000)
    Image.fromarray(stained()).save(tmp_path / "other.png")
    add_image(section, tmp_path / "other.png", pixel_size=2.0)
    other = image_placement(section, "other")
    assert other.image.shape == (60, 100, 3)
    np.testing.assert_allclose(other.bounds(), [[0, 0], [240, 400]])


def test_registered_it_is_what_figures_and_methods_read(tmp_path, section):
    own = own_of(section)
    add_image(section, write_tiff(tmp_path / "he.ome.tif", stained(), 5.0))
    # Not before it lies where it belongs.
    assert the_library(section, None) == own
    config = MorphologyConfig(encoder="builtin")
    assert [part.library for part in imaged_parts(section, config)] == [own]
    size = section_view(section, None).diameter
    image = np.array([[50, 50], [900, 80], [100, 500], [800, 550]], float)
    spots = image @ turn(15, 1.2).T + 120.0
    register_image(section, "he", landmarks_from(image, spots))
    assert the_library(section, None) == "he"
    (part,) = imaged_parts(section, config)
    assert part.library == "he"
    assert len(part.spots) == section.n_obs
    slide = slide_of(section, "he", config)
    assert "he" in slide.source
    view = section_view(section, None)
    assert view.placement.library == "he"
    assert view.section == ""
    assert view.diameter == size == spot_size(section).diameter
    assert view.mask.all()


def test_with_landmarks_it_is_registered_at_once_and_stays_when_saved(
    tmp_path, section
):
    image = np.array([[50, 50], [900, 80], [100, 500], [800, 550]], float)
    known = landmarks_from(image, image @ turn(30, 0.8).T + 200.0)
    path = write_tiff(tmp_path / "post.run.ome.tif", stained(), 5.0)
    assert add_image(section, path, name="H&E/1", landmarks=known) == "H&E_1"
    again = read(write(section, tmp_path / "saved.h5ad"))
    assert landmarks_of(again, "H&E_1") == known
    was, now = (image_placement(one, "H&E_1") for one in (section, again))
    np.testing.assert_array_equal(now.image, was.image)
    np.testing.assert_allclose(now.bounds(), was.bounds())
    assert the_library(again, None) == "H&E_1"
    remove_image(again, "H&E_1")
    assert libraries(again) == (own_of(again),)
    assert keys.LANDMARKS not in again.uns


def test_sections_are_joined_without_it_and_keep_their_own(tmp_path, section):
    own = image_placement(section, own_of(section))
    add_image(section, write_tiff(tmp_path / "he.ome.tif", stained(), 5.0))
    joined = join_sections({"a": section, "b": section.copy()})
    assert libraries(joined) == ("a", "b")
    np.testing.assert_array_equal(image_placement(joined, "a").image, own.image)


def test_what_cannot_be_added_is_refused_and_nothing_changes(tmp_path, section):
    path = write_tiff(tmp_path / "he.ome.tif", stained(), 5.0)
    before = dict(section.uns["spatial"])
    with pytest.raises(InputError, match="Expected an image"):
        add_image(section, tmp_path / "he.txt")
    with pytest.raises(InputError, match="there is none"):
        add_image(section, tmp_path / "gone.tif")
    with pytest.raises(InputError, match="another name"):
        add_image(section, path, name=own_of(section))
    for size in (0.0, -1.0, np.inf, np.nan):
        with pytest.raises(InputError, match="positive number of micrometres"):
            add_image(section, path, pixel_size=size)
    line = np.array([[0, 0], [1, 1], [2, 2]], float)
    with pytest.raises(InputError, match="on one line"):
        add_image(section, path, landmarks=added_landmarks(line))
    (tmp_path / "broken.tif").write_bytes(path.read_bytes()[:200])
    with pytest.raises(InputError):
        add_image(section, tmp_path / "broken.tif")
    with pytest.raises(InputError, match="added image"):
        remove_image(section, own_of(section))
    assert section.uns["spatial"].keys() == before.keys()
    joined = join_sections({"a": section, "b": section.copy()})
    with pytest.raises(InputError, match="of one piece"):
        add_image(joined, path)


def added_landmarks(places):
    from napari_semst import Landmarks

    return Landmarks(places, places)


def test_a_session_adds_and_removes_it_again(tmp_path, section):
    path = write_tiff(tmp_path / "he.ome.tif", stained(), 5.0)
    actions = [
        Action("read", {"path": str(tmp_path / "run")}),
        Action("add_image", {"path": str(path), "name": "he"}),
    ]
    code = session_code([*actions, Action("remove_image", {"name": "he"})])
    names = {}
    head = "from napari_semst import add_image, read, remove_image"
    exec("\n".join([head, *code.blocks[:2]]), names)
    assert "he" in libraries(names["tissue"])
    exec(code.blocks[2], names)
    assert "he" not in libraries(names["tissue"])


def test_sections_of_a_table_stay_apart(tmp_path, tissue):
    half = tissue.n_obs // 2
    tissue.obs["half"] = np.where(np.arange(tissue.n_obs) < half, "A", "B")
    factors = {"tissue_hires_scalef": 0.1, "spot_diameter_fullres": 30.0}
    entry = {"images": {"hires": stained()}, "scalefactors": factors}
    tissue.uns["spatial"] = {"A": entry, "B": entry}
    with pytest.raises(InputError, match=r"several, which obs\['half'\] tells apart"):
        add_image(tissue, write_tiff(tmp_path / "he.tif", stained()))
    # One that got an image before such were refused.
    added = {**entry, "metadata": {ADDED: "he.tif"}}
    tissue.uns["spatial"] = {**tissue.uns["spatial"], "he": added}
    assert library_column(tissue) == "half"
    assert spots_of(tissue, "A").sum() == half
    assert spots_of(tissue, "he").all()


def test_a_name_that_is_taken_gets_a_number(tmp_path, section):
    own = own_of(section)
    path = write_tiff(tmp_path / f"{own}.ome.tif", stained(), 5.0)
    assert add_image(section, path) == f"{own}_2"
    assert add_image(section, path) == f"{own}_3"


def test_what_is_not_there_is_not_registered(section):
    places = np.array([[0, 0], [1, 0], [0, 1]], float)
    with pytest.raises(InputError, match="Expected library to be one of 'Region_1'"):
        register_image(section, "he", landmarks_from(places, places))
    assert keys.LANDMARKS not in section.uns
