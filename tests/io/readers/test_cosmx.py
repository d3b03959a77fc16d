"""CosMx: the names that versions give, and fields of view put together."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from napari_semst.errors import InputError
from napari_semst.io.notes import input_warnings
from napari_semst.io.preview import preview
from napari_semst.io.read import read
from napari_semst.io.readers.registry import detect_format
from tests.io.folders import write_cosmx

PIXEL = 0.120280945
SIDE, STEP = 24, 100.0


def rewrite(folder, name, change):
    path = folder / f"S1_{name}_file.csv"
    change(pd.read_csv(path)).to_csv(path, index=False)


def assert_same(found, tissue):
    assert list(found.var_names) == list(tissue.var_names)
    assert (found.X != tissue.X).nnz == 0
    np.testing.assert_allclose(found.obsm["spatial"], tissue.obsm["spatial"])


def whole_names(table):
    """Name cells as c_slide_fov_cell alone."""
    told = "c_1_" + table["fov"].astype(str) + "_" + table["cell_ID"].astype(str)
    return table.drop(columns=["fov", "cell_ID"]).assign(cell=told)


def both_names(table):
    """Name cells twice, the whole name first and in a case of its own."""
    told = "c_1_" + table["fov"].astype(str) + "_" + table["cell_ID"].astype(str)
    return pd.concat([told.rename("cell_id"), table], axis=1)


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t.rename(columns={"fov": "FOV"}),
        lambda t: t.rename(columns={"fov": "Fov", "cell_ID": "CellId"}),
        lambda t: t.astype({"fov": float, "cell_ID": float}),
        lambda t: t.set_axis(range(1, len(t) + 1)).reset_index(names=""),
        both_names,
        whole_names,
    ],
)
@pytest.mark.parametrize("table", ["exprMat", "metadata"])
def test_cells_are_known_by_the_names_of_each_version(tmp_path, tissue, change, table):
    folder = write_cosmx(tmp_path / "run", tissue, packed=False)
    rewrite(folder, table, change)
    assert detect_format(folder).name == "cosmx"
    found = read(folder)
    assert_same(found, tissue)
    assert found.obs_names[0] == "1_1"
    assert [w for w in input_warnings(found) if "no genes" not in w] == []
    found.write_h5ad(tmp_path / "saved.h5ad")


def test_places_in_millimetres_are_read_in_micrometres(tmp_path, tissue):
    folder = write_cosmx(tmp_path / "run", tissue, packed=False)
    places = ["CenterX_global_px", "CenterY_global_px"]

    def change(table):
        x, y = (table.pop(name) / 1000 for name in places)
        return table.assign(x_slide_mm=x, y_slide_mm=y)

    rewrite(folder, "metadata", change)
    found = read(folder)
    assert_same(found, tissue)
    factors = found.uns["spatial"]["S1"]["scalefactors"]
    assert factors["microns_per_pixel"] == 1.0
    assert factors["spot_diameter_fullres"] == pytest.approx(10 * PIXEL)


def write_fields(folder, *, sign, unit, banded=True, columns=("X_mm", "Y_mm")):
    """Write 2 x 2 fields of one section with bands along y; return its places."""
    rng = np.random.default_rng(0)
    column, row = np.meshgrid(np.arange(2 * SIDE), np.arange(2 * SIDE))
    column, row = column.ravel(), row.ravel()
    places = np.stack([column, row], axis=1) * STEP
    bands = row // 10 if banded else np.zeros(len(row), int)
    means = rng.gamma(1, 2, (bands.max() + 1, 30))
    counts = pd.DataFrame(rng.poisson(means[bands])).add_prefix("G")
    field = np.stack([column, row], axis=1) // SIDE
    names = pd.DataFrame({"fov": 1 + field[:, 0] + 2 * field[:, 1]})
    names["cell_ID"] = names.groupby("fov").cumcount() + 1
    corners = pd.DataFrame({"fov": names["fov"], "x": field[:, 0], "y": field[:, 1]})
    corners = corners.drop_duplicates("fov")
    inside = places - field * SIDE * STEP
    cells = names.assign(CenterX_local_px=inside[:, 0], CenterY_local_px=inside[:, 1])
    folder.mkdir()
    pd.concat([names, counts], axis=1).to_csv(folder / "S1_exprMat_file.csv", index=0)
    cells.to_csv(folder / "S1_metadata_file.csv", index=False)
    where = {
        columns[0]: corners["x"] * SIDE * STEP * unit,
        columns[1]: sign * corners["y"] * SIDE * STEP * unit,
    }
    fields = pd.DataFrame({"Slide": 1, "FOV": corners["fov"], **where})
    fields.to_csv(folder / "S1_fov_positions_file.csv", index=False)
    return places


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(
    ("columns", "unit"),
    [
        (("X_mm", "Y_mm"), PIXEL / 1000),
        (("x_global_mm", "y_global_mm"), PIXEL / 1000),
        (("x_global_px", "y_global_px"), 1.0),
    ],
)
def test_fields_are_put_together_the_way_in_which_cells_fit(
    tmp_path, sign, columns, unit
):
    places = write_fields(tmp_path / "run", sign=sign, unit=unit, columns=columns)
    found = read(tmp_path / "run")
    np.testing.assert_allclose(found.obsm["spatial"], places, atol=1e-6)
    told = " ".join(input_warnings(found))
    assert ("0.12028 micrometres" in told) == (unit != 1)
    way = {1: "the same way as", -1: "the opposite way to"}[sign]
    assert (f"counts y {way}" in told) == (unit != 1 or sign == -1)


def test_where_cells_show_no_way_the_stage_is_followed_with_a_warning(tmp_path):
    unit = PIXEL / 1000
    places = write_fields(tmp_path / "run", sign=-1, unit=unit, banded=False)
    found = read(tmp_path / "run")
    np.testing.assert_allclose(found.obsm["spatial"], places, atol=1e-6)
    assert "upwards or downwards is not said" in input_warnings(found)[-1]
    seen = preview(tmp_path / "run")
    assert seen.coordinates == "S1_metadata_file.csv"


def test_one_row_of_fields_needs_no_way(tmp_path, tissue):
    folder = write_cosmx(tmp_path / "run", tissue, packed=False, places="local")

    def change(table):
        x, y = table.pop("x_global_px"), table.pop("y_global_px")
        return table.assign(X_mm=x * PIXEL / 1000, Y_mm=y * 0)

    rewrite(folder, "fov_positions", change)
    found = read(folder)
    want = tissue.obsm["spatial"] + (0, 5)
    np.testing.assert_allclose(found.obsm["spatial"], want)
    assert len([w for w in input_warnings(found) if "no genes" not in w]) == 1


def test_cells_of_fields_that_are_not_listed_are_left_out(tmp_path):
    places = write_fields(tmp_path / "run", sign=1, unit=1.0)
    views = tmp_path / "run" / "S1_fov_positions_file.csv"
    pd.read_csv(views).iloc[:3].to_csv(views, index=False)
    found = read(tmp_path / "run")
    assert found.n_obs == len(places) * 3 // 4
    told = " ".join(input_warnings(found))
    assert "does not list (4)" in told
    assert "X_mm, Y_mm of S1_fov_positions_file.csv" in told


def test_what_does_not_place_cells_is_refused(tmp_path, tissue):
    folder = write_cosmx(tmp_path / "run", tissue, packed=False, places="local")
    views = folder / "S1_fov_positions_file.csv"
    table = pd.read_csv(views)
    table.drop(columns="x_global_px").to_csv(views, index=False)
    with pytest.raises(InputError, match="y_global_px or X_mm and Y_mm"):
        read(folder)
    both = pd.concat([table.assign(Slide=1), (table + 5).assign(FOV=table["FOV"])])
    both.to_csv(views, index=False)
    with pytest.raises(InputError, match="it lists several slides"):
        read(folder)
    table.assign(FOV=[70, 71]).to_csv(views, index=False)
    with pytest.raises(InputError, match="cells of the fields 1, 2"):
        read(folder)
    table.assign(FOV=[1, 71]).to_csv(views, index=False)
    with pytest.raises(InputError, match="y_global_px of S1_fov_positions_file"):
        read(folder)
    views.unlink()
    assert preview(folder).missing == ("coordinates",)
    with pytest.raises(InputError, match=r"no \*fov_positions_file\.csv"):
        read(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (slice(2, None), "the row named 1 4 has none: all its 62 counts are empty"),
        (slice(2, 3), "the row named 1 4 has an empty field for G0000"),
        (slice(2, 5), "empty field for .* and 2 more"),
    ],
)
def test_cells_without_counts_are_named(tmp_path, tissue, change, message):
    folder = write_cosmx(tmp_path / "run", tissue, packed=False)

    def repeat(table):
        again = table[(table["fov"] == 1) & (table["cell_ID"] == 4)].astype(object)
        again.iloc[:, change] = ""
        return pd.concat([table, again])

    rewrite(folder, "exprMat", repeat)
    message = message.replace("G0000", str(tissue.var_names[0]))
    with pytest.raises(InputError, match=message):
        read(folder)


def test_a_protein_assay_is_told_from_counts(tmp_path, tissue):
    folder = write_cosmx(tmp_path / "run", tissue, packed=False)
    genes = list(tissue.var_names)

    def intensities(table):
        return table.assign(**{g: table[g] * 1.5 + 0.25 for g in genes})

    rewrite(folder, "exprMat", intensities)
    assert "as the protein assay has" in input_warnings(read(folder))[0]
    seen = preview(folder)
    assert seen.missing == ("raw counts",)
    assert "as the protein assay has" in seen.remarks[0]


def test_several_slides_in_one_table_are_refused(tmp_path, tissue):
    folder = write_cosmx(tmp_path / "run", tissue, packed=False)
    for name in ("exprMat", "metadata"):
        rewrite(
            folder,
            name,
            lambda t: pd.concat([t.assign(slide=1), t.assign(slide=2)]),
        )
    with pytest.raises(InputError, match="slide names 1, 2"):
        read(folder)


def test_a_folder_says_which_of_its_files_is_missing(tmp_path, tissue):
    folder = write_cosmx(tmp_path / "run", tissue, packed=False)
    cells = folder / "S1_metadata_file.csv"
    cells.rename(folder / "Other_metadata_file.csv")
    assert_same(read(folder), tissue)
    (folder / "Other_metadata_file.csv").unlink()
    with pytest.raises(InputError, match=r"found S1_exprMat_file\.csv, but not its"):
        read(folder)
