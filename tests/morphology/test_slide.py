import json

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_semst.errors import InputError
from napari_semst.io.formats.tiff import read_section_image
from napari_semst.io.manual_alignment import Adjustment, adjust
from napari_semst.morphology.patches import patch_at
from napari_semst.morphology.slide import Slide
from tests.morphology.slides import stained


def with_image(tissue, image, scale):
    factors = {"tissue_hires_scalef": scale, "spot_diameter_fullres": 30.0}
    library = {"images": {"hires": image}, "scalefactors": factors}
    tissue.uns["spatial"] = {"one": library}
    return tissue


def whole(level):
    height, width = level.shape
    return level.window(0, height, 0, width)


def test_a_section_without_an_image_has_no_slide(tissue):
    assert Slide.of_tissue(tissue) is None


def test_the_image_of_a_section_lies_where_its_scale_says(tissue):
    image = stained(100, 10)
    slide = Slide.of_tissue(with_image(tissue, image, 0.1))
    assert slide.unit == (10.0, 10.0)
    # Pixel (3, 7) covers 69.5 to 79.5 in x and 29.5 to 39.5 in y.
    patch = patch_at(slide, (74.5, 34.5), 10, 1)
    assert np.abs(patch[0, 0].astype(int) - image[3, 7]).max() <= 40
    exact = patch_at(slide, (74.5, 34.5), 90, 9)
    assert np.array_equal(exact, image[0:8, 3:12]) or np.array_equal(
        exact[1:], image[0:8, 3:12]
    )


def test_alignment_by_hand_is_heeded(tissue):
    image = stained(100, 10)
    adjust(
        with_image(tissue, image, 1.0), "one", Adjustment().rotated().shifted_to(5, 0)
    )
    slide = Slide.of_tissue(tissue)
    turned = np.rot90(image, -1)
    assert np.array_equal(patch_at(slide, (57, 52), 5, 5), turned[50:55, 50:55])
    as_it_was = with_image(tissue.copy(), image, 1.0)
    del as_it_was.uns["semst_alignment"]
    assert slide.identity != Slide.of_tissue(as_it_was).identity


def pyramid(path, image, **options):
    """Write an image and a copy of half its side, in tiles."""
    with tifffile.TiffWriter(path) as file:
        file.write(image, tile=(64, 64), **options)
        file.write(image[::2, ::2], tile=(64, 64), subfiletype=1)


def test_a_reduced_image_is_read_from_its_file(tissue, tmp_path, monkeypatch):
    monkeypatch.setattr("napari_semst.io.formats.tiff.ENOUGH", 10_000)
    image = stained(300, 30)
    pyramid(tmp_path / "a.tif", image, subifds=1, photometric="rgb")
    picture, _ = read_section_image(tmp_path / "a.tif", 1.0)
    slide = Slide.of_tissue(with_image(tissue, picture.image, picture.per_unit))
    assert slide.shape == (300, 300)
    assert np.allclose(slide.unit, 1)
    assert np.array_equal(patch_at(slide, (100, 60), 9, 9), image[56:65, 96:105])


@pytest.mark.parametrize("below", [0, 1])
def test_levels_of_a_file_are_found_and_the_right_one_is_read(tmp_path, below):
    image = stained(256, 30)
    options = {"subifds": 1} if below else {}
    pyramid(tmp_path / "a.tif", image, photometric="rgb", **options)
    slide = Slide.of_file(tmp_path / "a.tif", pixels_per_unit=2.0)
    assert [level.shape for level in slide.levels] == [(256, 256), (128, 128)]
    assert np.array_equal(whole(slide.levels[0]), image)
    assert slide.level_for(0.6) is slide.levels[0]
    assert slide.level_for(1.0) is slide.levels[1]


def test_a_file_is_cut_as_its_array_is(tmp_path, monkeypatch):
    monkeypatch.setattr("napari_semst.io.formats.tiff._BLOCK", 64)
    image = stained(300, 30)
    pyramid(tmp_path / "a.tif", image, photometric="rgb", subifds=1)
    slide = Slide.of_file(tmp_path / "a.tif")
    ours = patch_at(slide, (63.3, 190.2), 77.0, 77)
    assert np.array_equal(ours, patch_at(Slide.of_array(image), (63.3, 190.2), 77, 77))


@pytest.mark.parametrize(
    ("kind", "options"), [("a.png", {}), ("a.tif", {}), ("a.tif", {"rowsperstrip": 9})]
)
def test_plain_files_are_read(tmp_path, kind, options):
    image = stained(120, 20)
    if kind.endswith("png"):
        alpha = np.full((120, 120, 1), 7, np.uint8)
        Image.fromarray(np.concatenate([image, alpha], axis=2)).save(tmp_path / kind)
    else:
        packing = "adobe_deflate" if options else None
        tifffile.imwrite(tmp_path / kind, image, compression=packing, **options)
    assert np.array_equal(whole(Slide.of_file(tmp_path / kind).levels[0]), image)


def test_greys_of_16_bits_become_colours_of_8(tmp_path):
    greys = np.linspace(200, 900, 10_000).reshape(100, 100).astype(np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", greys, tile=(64, 64))
    found = whole(Slide.of_file(tmp_path / "a.tif").levels[0])
    assert found.shape == (100, 100, 3)
    assert found[0, 0, 0] == 0
    assert found[-1, -1, 2] == 255


def ome_zarr(folder, image, name="0"):
    import zarr

    group = zarr.open_group(folder, mode="w", zarr_format=2)
    group.create_array("0", data=np.moveaxis(image, -1, 0), chunks=(1, 32, 32))
    axes = [{"name": axis} for axis in "cyx"]
    group.attrs["multiscales"] = [{"axes": axes, "datasets": [{"path": name}]}]
    return folder


def test_ome_zarr_is_read_inside_its_folder_only(tmp_path):
    image = stained(100, 10)
    found = Slide.of_file(ome_zarr(tmp_path / "a.zarr", image))
    assert np.array_equal(whole(found.levels[0]), image)
    ome_zarr(tmp_path / "b.zarr", image, "../a.zarr/0")
    with pytest.raises(InputError, match="leads out of it"):
        Slide.of_file(tmp_path / "b.zarr")


def test_a_pickled_store_is_refused(tmp_path):
    folder = ome_zarr(tmp_path / "a.zarr", stained(100, 10))
    about = folder / "0" / ".zarray"
    held = json.loads(about.read_text())
    about.write_text(json.dumps({**held, "filters": [{"id": "pickle"}]}))
    with pytest.raises(InputError, match="pickled"):
        Slide.of_file(folder)


def test_what_is_no_image_is_refused(tmp_path):
    (tmp_path / "a.tif").write_bytes(b"no image at all")
    with pytest.raises(InputError, match="could not be read"):
        Slide.of_file(tmp_path / "a.tif")
    with pytest.raises(InputError, match="there is none"):
        Slide.of_file(tmp_path / "b.tif")
    with pytest.raises(InputError, match="positive number"):
        Slide.of_file(tmp_path / "a.tif", pixels_per_unit=0)
    with pytest.raises(InputError, match="3 or 4 channels"):
        Slide.of_array(np.zeros((5, 5, 2)))
    planes = np.zeros((3, 64, 64), np.uint8)
    tifffile.imwrite(
        tmp_path / "d.tif", planes, planarconfig="separate", photometric="rgb"
    )
    with pytest.raises(InputError, match="in another way"):
        Slide.of_file(tmp_path / "d.tif")


def test_identity_is_of_pixels_and_place(tmp_path):
    image = stained(100, 10)
    same = Slide.of_array(image).identity
    assert same == Slide.of_array(image.copy()).identity
    assert same != Slide.of_array(image, scale=(2.0, 2.0)).identity
    changed = image.copy()
    changed[50, 50] += 1
    assert same != Slide.of_array(changed).identity
    tifffile.imwrite(tmp_path / "a.tif", image)
    tifffile.imwrite(tmp_path / "b.tif", image)
    tifffile.imwrite(tmp_path / "c.tif", changed)
    a, b, c = (Slide.of_file(tmp_path / f"{x}.tif").identity for x in "abc")
    assert a == b != c


def test_layers_of_any_kind_make_a_slide():
    import dask.array

    image = stained(128, 20)
    levels = [dask.array.from_array(one, chunks=50) for one in (image, image[::2, ::2])]
    slide = Slide.of_array(levels, scale=(2.0, 2.0), translate=(11.0, 1.0))
    assert np.array_equal(whole(slide.levels[0]), image)
    # The centre of pixel (20, 30).
    assert np.array_equal(patch_at(slide, (61, 51), 2, 1)[0, 0], image[20, 30])
    assert np.array_equal(whole(Slide.of_array(image > 9).levels[0]), (image > 9) * 255)


def test_a_small_copy_is_the_mean_of_its_pixels():
    import dask.array

    image = stained(101, 10)
    lazy = Slide.of_array(dask.array.from_array(image, chunks=33))
    small, unit = lazy.overview(most=700)
    assert small.shape == (25, 25, 3)
    assert unit == (4.0, 4.0)
    cell = image[40:44, 60:64].reshape(-1, 3).mean(axis=0)
    assert np.abs(small[10, 15] - cell).max() < 1
