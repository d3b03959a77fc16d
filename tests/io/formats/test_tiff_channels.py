"""Channels of OME-TIFF: found by what the file says, read from their own pages."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import tifffile

from napari_semst.errors import InputError
from napari_semst.io.formats.tiff_channels import channel_levels, channels_of_file
from tests.io.formats.channel_files import NAMES, described, pixels, write_pages


def signed(colour):
    """Return a colour as OME has it: red, green, blue and alpha in a signed number."""
    number = (int(colour[1:], 16) << 8) | 0xFF
    return number - 2**32 if number >= 2**31 else number


def test_channels_of_one_file_have_their_names_colours_and_pixels(tmp_path):
    image = pixels()
    colours = ["#0000ff", "#00ff00", "#ff0000", "#ffff00", "#00ffff"]
    text = described(5, (200, 240), colours=[signed(one) for one in colours])
    path = write_pages(tmp_path / "a.ome.tif", image, text)
    channels = channels_of_file(path)
    assert [one.name for one in channels] == list(NAMES)
    assert [one.colour for one in channels] == colours
    for channel, wanted in zip(channels, image, strict=True):
        levels, (low, high), share = channel_levels(channel)
        assert share == 1
        assert [level.shape for level in levels] == [(200, 240), (100, 120)]
        assert np.array_equal(levels[0].compute(), wanted)
        assert np.array_equal(levels[1].compute(), wanted[::2, ::2])
        assert np.percentile(wanted, 0.5) <= low < high <= wanted.max()


def test_what_tifffile_writes_is_read(tmp_path):
    image = pixels(4)
    tifffile.imwrite(
        tmp_path / "a.ome.tif",
        image,
        ome=True,
        photometric="minisblack",
        metadata={"axes": "CYX", "Channel": {"Name": list(NAMES[:4])}},
    )
    channels = channels_of_file(tmp_path / "a.ome.tif")
    assert [one.name for one in channels] == list(NAMES[:4])
    assert np.array_equal(channel_levels(channels[3])[0][0].compute(), image[3])


def test_a_file_for_each_channel_is_found_beside_the_first(tmp_path):
    """As Xenium's morphology_focus."""
    image = pixels(3)
    files = [f"ch000{c}.ome.tif" for c in range(3)]
    text = described(3, (200, 240), files)
    for name, page in zip(files, image, strict=True):
        write_pages(tmp_path / name, [page], text)
    channels = channels_of_file(tmp_path / files[0])
    assert [(one.path.name, one.page) for one in channels] == [(f, 0) for f in files]
    assert np.array_equal(channel_levels(channels[2])[0][0].compute(), image[2])
    (tmp_path / files[1]).unlink()
    left = channels_of_file(tmp_path / files[0])
    assert [one.name for one in left] == [NAMES[0], NAMES[2]]


def test_mosaics_of_merscope_are_the_stains_of_one_plane(tmp_path):
    image = pixels(4)
    names = ("PolyT_z3", "DAPI_z3", "Cellbound1_z3", "DAPI_z2")
    for name, page in zip(names, image, strict=True):
        write_pages(tmp_path / f"mosaic_{name}.tif", [page], None, subifds=0)
    channels = channels_of_file(tmp_path / "mosaic_DAPI_z3.tif")
    assert [one.name for one in channels] == ["DAPI", "Cellbound1", "PolyT"]
    assert np.array_equal(channel_levels(channels[2])[0][0].compute(), image[0])
    assert channels_of_file(tmp_path / "mosaic_DAPI_z2.tif") == ()


def test_a_description_leads_to_no_other_folder(tmp_path):
    (tmp_path / "in").mkdir()
    image = pixels(3)
    files = ["a.ome.tif", "../secret.tif", "/etc/passwd"]
    path = write_pages(
        tmp_path / "in" / "a.ome.tif", image[:1], described(3, (200, 240), files)
    )
    write_pages(tmp_path / "secret.tif", image[1:2], "")
    assert channels_of_file(path) == ()


def test_of_planes_the_middle_one_stands_for_a_channel(tmp_path):
    """Two channels of three planes, in either order."""
    image = pixels(6)
    for order, wanted in (("XYCZT", (2, 3)), ("XYZCT", (1, 4))):
        text = described(2, (200, 240), planes=3, order=order)
        path = write_pages(tmp_path / f"{order}.ome.tif", image, text)
        channels = channels_of_file(path)
        assert tuple(one.page for one in channels) == wanted


def test_a_description_of_any_number_of_planes_is_read_at_once(tmp_path):
    """Nobody counts to what it declares."""
    text = described(3, (200, 240), planes=10**15).replace(
        "<TiffData/>", f'<TiffData PlaneCount="{10**18}"/>' * 50
    )
    path = write_pages(tmp_path / "a.ome.tif", pixels(3), text)
    assert channels_of_file(path) == ()


@pytest.mark.parametrize("name", ["as.ome.tif", "renamed.ome.tif"])
def test_a_file_of_all_channels_may_have_been_renamed(tmp_path, name):
    """As Bio-Formats writes it: every block names the file it was written to."""
    blocks = "".join(
        f'<TiffData FirstC="{c}" IFD="{c}" PlaneCount="1"><UUID FileName="as.ome.tif">'
        "urn:uuid:0</UUID></TiffData>"
        for c in range(3)
    )
    text = described(3, (200, 240)).replace("<TiffData/>", blocks)
    channels = channels_of_file(write_pages(tmp_path / name, pixels(3), text))
    assert [(one.path.name, one.page) for one in channels] == [
        (name, page) for page in range(3)
    ]


@pytest.mark.parametrize("packed", [None, "zlib"])
def test_a_large_channel_without_smaller_copies_is_reduced(
    tmp_path, monkeypatch, packed
):
    """A layer of one level is drawn whole; mosaics have 10 billion pixels."""
    monkeypatch.setattr("napari_semst.io.formats.tiff.ENOUGH", 6_000)
    image = pixels(2)
    for name, page in zip(("DAPI", "PolyT"), image, strict=True):
        file = tmp_path / f"mosaic_{name}_z3.tif"
        write_pages(file, [page], None, subifds=0, compression=packed)
    channels = channels_of_file(tmp_path / "mosaic_DAPI_z3.tif")
    levels, (low, high), share = channel_levels(channels[1])
    (reduced,) = levels
    assert isinstance(reduced, np.ndarray)
    np.testing.assert_array_equal(reduced, image[1, 1::3, 1::3][:66, :80])
    assert share == pytest.approx(1 / 3)
    assert image[1].min() <= low < high <= image[1].max()
    monkeypatch.setattr("napari_semst.io.formats.tiff._LARGEST_WHOLE", 7_000)
    if packed:
        with pytest.raises(InputError, match="smaller copies"):
            channel_levels(channels[1])


def test_colours_of_some_channels_are_kept_where_others_have_none(tmp_path):
    colours = [signed("#ff0000"), 0, signed("#ff0000")]
    text = described(3, (200, 240), colours=colours)
    path = write_pages(tmp_path / "a.ome.tif", pixels(3), text)
    first, other, last = (one.colour for one in channels_of_file(path))
    assert first == last == "#ff0000"
    assert other not in ("", "#ff0000")


def test_colours_of_our_own_where_the_file_has_none_or_the_same_for_all(tmp_path):
    for colours in (None, [-1, -1, -1], [0, 0, 0]):
        text = described(3, (200, 240), colours=colours)
        path = write_pages(tmp_path / "a.ome.tif", pixels(3), text)
        found = [one.colour for one in channels_of_file(path)]
        assert len(set(found)) == 3
        assert "#ffffff" not in found


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a plain description",
        "<OME broken",
        described(1, (200, 240)),
        described(3, (200, 240)).replace("<OME", '<!DOCTYPE x [<!ENTITY a "b">]><OME'),
        described(3, (200, 240)).replace('SamplesPerPixel="1"', 'SamplesPerPixel="3"'),
        described(3, (200, 240)).replace('Name="18S"', "").replace("Pixels", "Other"),
    ],
)
def test_a_file_that_tells_no_channels_has_none(tmp_path, text):
    assert channels_of_file(write_pages(tmp_path / "a.tif", pixels(3), text)) == ()


def test_pages_that_are_not_there_or_of_another_size_are_left_out(tmp_path):
    text = described(5, (200, 240))
    path = write_pages(tmp_path / "a.ome.tif", pixels(3), text)
    assert [one.name for one in channels_of_file(path)] == list(NAMES[:3])
    other = [*pixels(2), np.zeros((90, 90), np.uint16)]
    path = write_pages(tmp_path / "b.ome.tif", other, text)
    assert [one.name for one in channels_of_file(path)] == list(NAMES[:2])


def test_a_level_that_was_pickled_finds_its_page_again(tmp_path):
    image = pixels(3)
    path = write_pages(tmp_path / "a.ome.tif", image, described(3, (200, 240)))
    levels = channel_levels(channels_of_file(path)[2])[0]
    text = pickle.dumps(levels)
    del levels
    fine, coarse = pickle.loads(text)
    assert np.array_equal(coarse.compute(), image[2, ::2, ::2])
    assert np.array_equal(fine.compute(), image[2])


def test_a_replaced_file_is_told(tmp_path):
    path = write_pages(tmp_path / "a.ome.tif", pixels(3), described(3, (200, 240)))
    last = channels_of_file(path)[2]
    path.unlink()
    write_pages(path, pixels(2), described(2, (200, 240)))
    with pytest.raises(InputError, match=r"page 3.*it has fewer"):
        channel_levels(last)
