from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import tifffile

from napari_semst.errors import InputError
from napari_semst.io.alignment import image_placement, share_inside, spot_size
from napari_semst.io.notes import input_warnings
from napari_semst.io.preview import preview
from napari_semst.io.read import read
from napari_semst.io.readers.registry import detect_format
from tests.io.folders import gradient, save, write_cosmx, write_merscope, write_xenium

WRITERS = {"xenium": write_xenium, "merscope": write_merscope, "cosmx": write_cosmx}


def assert_same(found, tissue):
    """The counts and places are those written, in the order of the counts."""
    assert list(found.var_names) == list(tissue.var_names)
    assert found.X.dtype == np.float32
    assert (found.X != tissue.X).nnz == 0
    np.testing.assert_allclose(found.obsm["spatial"], tissue.obsm["spatial"])
    assert found.obs_names.is_unique


@pytest.mark.parametrize("kind", WRITERS)
def test_each_folder_is_known_by_what_is_inside_and_saved_whole(tmp_path, tissue, kind):
    folder = WRITERS[kind](tmp_path / "any name", tissue)
    assert detect_format(folder).name == kind
    found = read(folder)
    assert_same(found, tissue)
    (told,) = input_warnings(found)
    assert "no gene" in told
    assert told.startswith(f"{found.uns['semst_input']['not_genes']} of ")
    assert found.uns["semst_input"]["kind"] == kind
    assert spot_size(found).diameter == pytest.approx(10)
    found.write_h5ad(tmp_path / "saved.h5ad")
    assert_same(read(tmp_path / "saved.h5ad"), tissue)


@pytest.mark.parametrize("cells", ["cells.parquet", "cells.csv.gz", "cells.csv"])
def test_xenium_in_its_versions(tmp_path, tissue, cells):
    folder = write_xenium(tmp_path / "outs", tissue, cells=cells, image="")
    assert_same(read(tmp_path), tissue)
    found = read(folder / "experiment.xenium")
    assert list(found.obs_names) == list(tissue.obs_names)
    assert list(found.var["gene_ids"]) == list(tissue.var["gene_ids"])
    assert list(found.uns["spatial"]) == ["Region_1"]
    assert share_inside(found) is None


def test_xenium_image_is_placed_in_micrometres(tmp_path, tissue, monkeypatch):
    monkeypatch.setattr("napari_semst.io.formats.tiff.ENOUGH", 10_000)
    found = read(write_xenium(tmp_path / "run", tissue))
    placement = image_placement(found)
    # The smallest copy has a quarter of the pixels, 5 micrometres each.
    assert placement.image.shape == (85, 90)
    assert placement.scale == (20.0, 20.0)
    np.testing.assert_allclose(placement.bounds(), [[0, 0], [1700, 1800]])
    assert share_inside(found) == 1.0
    assert placement.image.dtype == np.uint8
    assert placement.image[0, 0] == 0
    assert placement.image[-1, -1] == 255


@pytest.mark.parametrize("tiled", [True, False])
@pytest.mark.parametrize("shape", [(700, 820), (701, 817)])
def test_an_image_without_smaller_copies_is_thinned_out(
    tmp_path, tiled, shape, monkeypatch
):
    from napari_semst.io.formats.tiff import read_section_image

    monkeypatch.setattr("napari_semst.io.formats.tiff.ENOUGH", 9000)
    pixels = np.stack([gradient(*shape).astype(np.uint8)] * 3, axis=-1)
    options = {"tile": (64, 48), "compression": "zlib"} if tiled else {}
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb", **options)
    picture, told = read_section_image(tmp_path / "a.tif", 3.0)
    assert told == ()
    step = 8
    middle = pixels[step // 2 :: step, step // 2 :: step]
    shown = picture.image
    np.testing.assert_array_equal(shown, middle[: shown.shape[0], : shown.shape[1]])
    assert min(np.subtract(middle.shape, shown.shape)) >= 0
    assert max(np.subtract(middle.shape, shown.shape)) <= 1
    assert picture.per_unit == 3.0 / step


def test_an_image_that_cannot_be_read_is_told_and_left_out(tmp_path, tissue):
    folder = write_xenium(tmp_path / "run", tissue, image="morphology_mip.ome.tif")
    (folder / "morphology_mip.ome.tif").write_bytes(b"II*\0 no image")
    found = read(folder)
    assert_same(found, tissue)
    assert "shown without its image" in input_warnings(found)[0]


@pytest.mark.parametrize("pixel", [0, "wide", -1])
def test_xenium_pixel_size_is_checked(tmp_path, tissue, pixel):
    folder = write_xenium(tmp_path / "run", tissue, image="")
    (folder / "experiment.xenium").write_text(f'{{"pixel_size": "{pixel}"}}')
    with pytest.raises(InputError, match="positive number of micrometres"):
        read(folder)


def test_merscope_ids_keep_all_digits_and_blanks_are_left_out(tmp_path, tissue):
    found = read(write_merscope(tmp_path / "run", tissue, prefix="Patient1_"))
    assert found.obs_names[1] == "1000000000000000007"
    assert found.uns["semst_input"]["not_genes"] == 2
    path = tmp_path / "run" / "Patient1_cell_by_gene.csv"
    assert detect_format(path).name == "merscope"
    assert_same(read(path), tissue)


def test_merscope_image_follows_its_transform(tmp_path, tissue):
    found = read(write_merscope(tmp_path / "run", tissue))
    placement = image_placement(found)
    # Pixel = 0.5 * micrometre + (20, 10).
    assert placement.scale == (2.0, 2.0)
    np.testing.assert_allclose(placement.bounds()[0], [-20, -40])
    assert placement.image.shape == (800, 900)


@pytest.mark.parametrize("matrix", ["1 0.2 0\n-0.2 1 0\n0 0 1", None])
def test_merscope_image_that_cannot_be_placed_is_told(tmp_path, tissue, matrix):
    folder = write_merscope(tmp_path / "run", tissue)
    path = folder / "images" / "micron_to_mosaic_pixel_transform.csv"
    path.unlink()
    if matrix:
        path.write_text(matrix)
    found = read(folder)
    assert share_inside(found) is None
    assert "not shown" in input_warnings(found)[0]


@pytest.mark.parametrize("places", ["global", "local"])
@pytest.mark.parametrize("packed", [True, False])
def test_cosmx_cells_have_names_of_view_and_cell(tmp_path, tissue, packed, places):
    found = read(write_cosmx(tmp_path / "run", tissue, packed=packed, places=places))
    assert_same(found, tissue)
    assert list(found.obs_names[[0, -1]]) == ["1_1", f"2_{tissue.n_obs // 2}"]
    assert list(found.uns["spatial"]) == ["S1"]
    assert found.uns["semst_input"]["not_genes"] == 2


def test_tables_of_other_sections_are_refused(tmp_path, tissue):
    a = write_cosmx(tmp_path / "a", tissue, packed=False)
    table = pd.read_csv(a / "S1_metadata_file.csv")
    table["fov"] += 70
    table.to_csv(a / "S1_metadata_file.csv", index=False)
    with pytest.raises(InputError, match="they share none"):
        read(a)


def _edit(folder, name, change):
    path = next(folder.glob(f"*{name}*"))
    table = pd.read_csv(path, dtype=str)
    changed = change(table)
    (table if changed is None else changed).to_csv(path, index=False)


def _text(table):
    table.iloc[3, 5] = "many"


def _empty(table):
    table.iloc[3, 5] = ""


def _twice(table):
    table.iloc[3] = table.iloc[4]


@pytest.mark.parametrize(
    ("table", "change", "message"),
    [
        ("cell_by_gene", _text, "nothing but numbers"),
        ("cell_by_gene", _empty, "nothing but numbers"),
        ("cell_by_gene", _twice, "every cell once"),
        ("cell_metadata", _twice, "every cell once"),
    ],
)
def test_malformed_tables_are_refused(tmp_path, tissue, table, change, message):
    folder = write_merscope(tmp_path / "run", tissue, image=False)
    _edit(folder, table, change)
    with pytest.raises(InputError, match=message):
        read(folder)


def test_a_table_cut_short_is_told(tmp_path, tissue):
    folder = write_cosmx(tmp_path / "run", tissue)
    path = folder / "S1_exprMat_file.csv.gz"
    path.write_bytes(path.read_bytes()[:-3000])
    with pytest.raises(InputError, match="cut short"):
        read(folder)


def test_cells_without_a_place_or_counts_are_left_out_and_told(tmp_path, tissue):
    folder = write_merscope(tmp_path / "run", tissue, image=False)

    def spoil(table):
        table.loc[0, "center_x"] = ""
        return table.drop(index=[5, 6])

    _edit(folder, "cell_metadata", spoil)
    found = read(folder)
    assert found.n_obs == tissue.n_obs - 3
    assert [
        "2 of 196" in input_warnings(found)[0],
        "1 of 194" in input_warnings(found)[1],
    ]
    assert np.isfinite(found.obsm["spatial"]).all()


def test_a_large_table_is_read_in_pieces(tmp_path, tissue, monkeypatch):
    monkeypatch.setattr("napari_semst.io.formats.wide_tables.CHUNK", 500)
    assert_same(read(write_merscope(tmp_path / "run", tissue, image=False)), tissue)


def test_foreign_folders_are_declined(tmp_path, tissue):
    folder = write_merscope(tmp_path / "run", tissue, image=False)
    (folder / "cell_metadata.csv").write_text("a,b\n1,2\n")
    assert detect_format(folder) is None
    assert detect_format(folder / "cell_by_gene.csv") is None


def _rewritten(folder, name, rewrite):
    """Rewrite a table of a folder as another program would."""
    path = next(folder.glob(f"*{name}*"))
    table = pd.read_csv(path, dtype={0: str, "cell": str, "EntityID": str})
    rewrite(table, path)


IDS = {"X": "X", "unnamed": "", "as pandas": "Unnamed: 0", "cell_id": "cell_id"}


@pytest.mark.parametrize("name", IDS.values(), ids=IDS)
def test_merscope_ids_stand_in_columns_of_other_names(tmp_path, tissue, name):
    folder = write_merscope(tmp_path / "run", tissue, image=False)
    for table, own in (("cell_by_gene", "cell"), ("cell_metadata", "EntityID")):
        _rewritten(
            folder,
            table,
            lambda t, path, own=own: t.rename(columns={own: name}).to_csv(
                path, index=False
            ),
        )
    assert detect_format(folder).name == "merscope"
    found = read(folder)
    assert_same(found, tissue)
    assert found.obs_names[1] == "1000000000000000007"
    found.write_h5ad(tmp_path / "saved.h5ad")


def test_numbers_of_rows_are_neither_ids_nor_genes(tmp_path, tissue):
    folder = write_merscope(tmp_path / "run", tissue, image=False)
    for table in ("cell_by_gene", "cell_metadata"):
        _rewritten(
            folder,
            table,
            lambda t, path: t.set_axis(range(1, len(t) + 1)).to_csv(path),
        )
    found = read(folder)
    assert_same(found, tissue)
    assert found.obs_names[1] == "1000000000000000007"
    found.write_h5ad(tmp_path / "saved.h5ad")
    columns = {*read(folder).obs.columns}
    assert not {"", "unnamed"} & columns
    # The ids, beside the numbers of rows, are not taken for counts.
    assert preview(folder).counts == "cell_by_gene.csv"


def test_merscope_ids_of_any_name_are_known_by_the_cells_they_name(tmp_path, tissue):
    folder = write_merscope(tmp_path / "run", tissue, image=False)
    _rewritten(
        folder,
        "cell_metadata",
        lambda t, path: t.rename(columns={"EntityID": "Name"})[
            [*t.columns[1:], "Name"]
        ].to_csv(path, index=False),
    )
    assert_same(read(folder), tissue)


def test_merscope_without_ids_says_what_the_column_may_be_called(tmp_path, tissue):
    folder = write_merscope(tmp_path / "run", tissue, image=False)
    _rewritten(
        folder,
        "cell_metadata",
        lambda t, path: t.drop(columns="EntityID").to_csv(path, index=False),
    )
    with pytest.raises(
        InputError, match="EntityID, cell, cell_id, id or X, or without"
    ):
        read(folder)


def test_ids_that_another_program_rounded_are_told(tmp_path, tissue):
    folder = write_merscope(tmp_path / "run", tissue, image=False)
    _edit(
        folder,
        "cell_metadata",
        lambda t: t.assign(EntityID=[f"1.{i:05}e+18" for i in range(len(t))]),
    )
    with pytest.raises(InputError, match=r"ids in cell_metadata\.csv were rounded"):
        read(folder)
    # Rounded to one number, they are not doubles to remove.
    _edit(folder, "cell_metadata", lambda t: t.assign(EntityID="1.1e+18"))
    with pytest.raises(InputError, match="digits are lost") as caught:
        read(folder)
    assert "Remove" not in str(caught.value)


@pytest.mark.parametrize("end", ["", ".gz"])
def test_merscope_tables_have_names_before_and_behind(tmp_path, tissue, end):
    folder = write_merscope(tmp_path / "run", tissue, prefix="Brain_", image=False)
    for own in ("cell_by_gene", "cell_metadata"):
        path = folder / f"Brain_{own}.csv"
        save(
            pd.read_csv(path, dtype=str),
            path.with_name(f"Brain_{own}_S1R1.csv{end}"),
            index=False,
        )
        path.unlink()
    assert_same(read(folder), tissue)
    assert_same(read(folder / f"Brain_cell_by_gene_S1R1.csv{end}"), tissue)


def test_of_two_sections_in_a_folder_one_is_opened_by_its_table(tmp_path, tissue):
    folder = write_merscope(tmp_path / "run", tissue, prefix="A_", image=False)
    for path in list(folder.glob("A_*.csv")):
        (folder / path.name.replace("A_", "B_")).write_bytes(path.read_bytes())
    assert_same(read(folder / "B_cell_by_gene.csv"), tissue)
    with pytest.raises(InputError, match="found 2 tables of counts: A_cell_by_gene"):
        read(folder)


@pytest.mark.parametrize("unnamed", ["beside", "instead"])
def test_xenium_tables_that_r_has_written(tmp_path, tissue, unnamed):
    folder = write_xenium(tmp_path / "run", tissue, cells="cells.csv.gz", image="")
    path = folder / "cells.csv.gz"
    table = pd.read_csv(path)
    if unnamed == "beside":
        table.set_axis(range(1, len(table) + 1)).to_csv(path)
    else:
        table.set_index("cell_id").rename_axis(None).to_csv(path)
    found = read(folder)
    assert_same(found, tissue)
    assert set(found.obs) == {*table} - {"cell_id"}
    found.write_h5ad(tmp_path / "saved.h5ad")


@pytest.mark.parametrize("name", ["cell_id", None])
def test_xenium_ids_that_pandas_kept_as_names_of_rows(tmp_path, tissue, name):
    folder = write_xenium(tmp_path / "run", tissue, image="")
    path = folder / "cells.parquet"
    table = pd.read_parquet(path).set_index("cell_id").rename_axis(name)
    table.to_parquet(path)
    found = read(folder)
    assert_same(found, tissue)
    assert set(found.obs) == {*table}


def test_ids_that_r_shortened_are_written_out(tmp_path, tissue):
    numbers = [str(100_000 * (i + 1)) for i in range(tissue.n_obs)]
    tissue.obs_names = numbers
    folder = write_xenium(tmp_path / "run", tissue, cells="cells.csv", image="")
    table = pd.read_csv(folder / "cells.csv")
    short = {100_000: "1e+05", 200_000: "2e+05", 1_000_000: "1e+06"}
    table["cell_id"] = [short.get(i, f"{i}.0") for i in table["cell_id"]]
    table.to_csv(folder / "cells.csv", index=False)
    assert list(read(folder).obs_names) == numbers


@pytest.mark.parametrize("about", ["gone", "silent"])
def test_what_xenium_does_not_say_is_said_to_be_assumed(tmp_path, tissue, about):
    folder = write_xenium(tmp_path / "run", tissue)
    path = folder / "experiment.xenium"
    path.unlink() if about == "gone" else path.write_text('{"region_name": "A"}')
    found = read(folder)
    told = input_warnings(found)
    assert "pixel_size" not in found.uns["semst_input"]
    assert "usual 0.2125 micrometres" in told[0]
    assert ("taken to be in micrometres" in told[0]) == (about == "gone")


def test_columns_that_would_be_one_in_a_file_stay_two(tmp_path, tissue):
    folder = write_xenium(tmp_path / "run", tissue, cells="cells.csv", image="")
    table = pd.read_csv(folder / "cells.csv").assign(
        **{"a/b": 1, "a_b": 2, "_index": 3}
    )
    table.to_csv(folder / "cells.csv", index=False)
    found = read(folder)
    assert [found.obs[c].iloc[0] for c in ("a_b", "a_b_", "index")] == [1, 2, 3]
    found.write_h5ad(tmp_path / "saved.h5ad")


LACKS = {
    "merscope": ("*cell_by_gene*", "found no cell_by_gene.csv, but cell_metadata.csv"),
    "cosmx": ("*exprMat*", "found no .*exprMat_file.csv, but S1_metadata_file.csv"),
    "xenium": ("*matrix*", "missing: cell_feature_matrix.h5"),
}


@pytest.mark.parametrize("kind", LACKS)
def test_a_folder_without_its_counts_says_so(tmp_path, tissue, kind):
    folder = WRITERS[kind](tmp_path / "run", tissue)
    counts, message = LACKS[kind]
    next(folder.glob(counts)).unlink()
    with pytest.raises(InputError, match=message):
        read(folder)


def test_a_damaged_table_of_cells_is_named(tmp_path, tissue):
    folder = write_xenium(tmp_path / "run", tissue, image="")
    cells = folder / "cells.parquet"
    # Its end says that it is one; what is told of its columns is lost.
    content = cells.read_bytes()
    cells.write_bytes(content[:4] + bytes(len(content) - 12) + content[-8:])
    with pytest.raises(InputError, match=r"cells\.parquet"):
        read(folder)
