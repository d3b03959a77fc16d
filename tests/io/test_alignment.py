from __future__ import annotations

import numpy as np
import pytest
from anndata import AnnData

from napari_semst.errors import InputError
from napari_semst.io.alignment import (
    image_placement,
    libraries,
    share_inside,
    spot_diameter,
    spot_positions,
    spot_size,
)


def section(tissue: AnnData, images: dict, **factors: float) -> AnnData:
    tissue.uns["spatial"] = {"S1": {"images": images, "scalefactors": dict(factors)}}
    return tissue


def painted(height: int, width: int, y: float, x: float, radius: float) -> np.ndarray:
    """A bright disc on black; pixel j of the image has its centre at j."""
    rows, columns = np.mgrid[:height, :width]
    inside = (rows - y) ** 2 + (columns - x) ** 2 <= radius**2
    return np.where(inside, 255.0, 0.0)


def reduced(image: np.ndarray, factor: int) -> np.ndarray:
    """Means of blocks: pixel i covers [i * factor, (i + 1) * factor)."""
    height, width = (n // factor for n in image.shape)
    blocks = image[: height * factor, : width * factor]
    return blocks.reshape(height, factor, width, factor).mean(axis=(1, 3))


@pytest.mark.parametrize("factor", [1, 2, 3, 5, 8, 20])
@pytest.mark.parametrize(("x", "y"), [(333.0, 127.0), (61.5, 402.25)])
def test_a_painted_spot_is_where_its_coordinates_say(tissue, factor, x, y):
    radius = 30.0
    small = reduced(painted(480, 640, y, x, radius), factor)
    rgb = np.repeat(np.rint(small)[..., None], 3, axis=2).astype(np.uint8)
    tissue.obsm["spatial"][0] = (x, y)
    section(tissue, {"hires": rgb}, tissue_hires_scalef=1 / factor)
    placement = image_placement(tissue)
    pixels = np.argwhere(placement.image[..., 0] > 0)
    weights = placement.image[pixels[:, 0], pixels[:, 1], 0].astype(float)
    centre = np.average(pixels, axis=0, weights=weights)
    seen = centre * placement.scale + placement.translate
    miss = np.linalg.norm(seen - spot_positions(tissue)[0])
    assert miss < radius / 2
    # Means of blocks keep the centre of mass: the half pixel is not forgiven.
    assert miss < max(0.25, 0.03 * factor)


def test_non_integer_factor_places_the_edges():
    # Space Ranger's: 13332 pixels become 2000.
    tissue = AnnData(np.ones((1, 1)), obsm={"spatial": np.array([[0.0, 0.0]])})
    section(
        tissue, {"hires": np.zeros((2000, 2000, 3), np.uint8)}, tissue_hires_scalef=0.15
    )
    first, last = image_placement(tissue).bounds()
    np.testing.assert_allclose(first, -0.5)
    np.testing.assert_allclose(last, 2000 / 0.15 - 0.5)


def test_all_resolutions_cover_the_same_world(tissue):
    images = {
        "hires": np.zeros((400, 500, 3), np.uint8),
        "lowres": np.zeros((100, 125, 3), np.uint8),
    }
    section(tissue, images, tissue_hires_scalef=0.4, tissue_lowres_scalef=0.1)
    high, low = (image_placement(tissue, resolution=r) for r in ("hires", "lowres"))
    np.testing.assert_allclose(high.bounds(), low.bounds())
    assert image_placement(tissue).resolution == "hires"
    assert (low.library, low.scale) == ("S1", (10.0, 10.0))
    del images["hires"]
    assert image_placement(tissue).resolution == "lowres"
    assert image_placement(tissue, resolution="hires") is None


@pytest.mark.parametrize("uns", [{}, {"spatial": {}}, {"spatial": "nothing"}])
def test_no_image_is_none(tissue, uns):
    tissue.uns.update(uns)
    assert image_placement(tissue) is None
    assert share_inside(tissue) is None


@pytest.mark.parametrize("factor", [None, 0.0, -1.0, np.nan, "wide"])
def test_an_image_without_scale_is_refused(tissue, factor):
    section(
        tissue, {"hires": np.zeros((9, 9, 3), np.uint8)}, tissue_hires_scalef=factor
    )
    with pytest.raises(InputError, match="tissue_hires_scalef"):
        image_placement(tissue)


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (np.full((4, 4, 3), 0.5, np.float32), 128),
        (np.full((4, 4, 3), 200.0), 200),
        (np.full((4, 4), 257 * 9, np.uint16), 9),
        (np.full((4, 4, 4), 7, np.int64), 7),
    ],
)
def test_images_of_other_types_become_bytes(tissue, image, expected):
    section(tissue, {"hires": image}, tissue_hires_scalef=1.0)
    found = image_placement(tissue).image
    assert found.dtype == np.uint8
    assert (found == expected).all()


@pytest.mark.parametrize("shape", [(4,), (3, 4, 5), (2, 4, 4, 3), (0, 4, 3)])
def test_images_of_other_shapes_are_refused(tissue, shape):
    section(tissue, {"hires": np.zeros(shape)}, tissue_hires_scalef=1.0)
    with pytest.raises(InputError, match="shape"):
        image_placement(tissue)


def test_diameter_is_the_stated_one_or_the_distance_of_neighbours(tissue):
    assert spot_diameter(tissue) == pytest.approx(100.0, rel=0.01)
    assert spot_size(tissue).source.startswith("median distance")
    section(tissue, {}, spot_diameter_fullres=np.float64(89.5))
    assert spot_size(tissue).diameter == 89.5
    assert spot_size(tissue).source == "spot_diameter_fullres"
    section(tissue, {}, spot_diameter_fullres=np.nan)
    assert spot_diameter(tissue) == pytest.approx(100.0, rel=0.01)


def test_diameter_does_not_fall_to_zero_where_spots_share_a_place(tissue):
    tissue.obsm["spatial"][1::2] = tissue.obsm["spatial"][::2]
    assert spot_diameter(tissue) > 50
    assert spot_diameter(tissue[:1].copy()) == 1.0


def test_share_inside_counts_centres_between_the_edges(tissue):
    section(tissue, {"hires": np.zeros((50, 40, 3), np.uint8)}, tissue_hires_scalef=0.5)
    inside = [(-0.5, -0.5), (79.4, 99.4), (40, 50)]
    outside = [(79.5, 50), (40, 99.5), (-0.6, 0), (0, -0.6)]
    tissue = tissue[:7].copy()
    tissue.obsm["spatial"] = np.array(inside + outside)
    assert share_inside(tissue) == pytest.approx(3 / 7)
    tissue.obsm["spatial"] = np.array([*inside, *([(1.0, 2.0)] * 4)])
    assert share_inside(tissue) == 1


def test_several_sections_must_be_named(tissue):
    image = np.zeros((60, 60, 3), np.uint8)
    tissue.uns["spatial"] = {
        name: {
            "images": {"lowres": image},
            "scalefactors": {
                "tissue_lowres_scalef": factor,
                "spot_diameter_fullres": 10 / factor,
            },
        }
        for name, factor in (("A", 0.03), ("B", 0.5))
    }
    assert libraries(tissue) == ("A", "B")
    with pytest.raises(InputError, match="A, B"):
        image_placement(tissue)
    with pytest.raises(InputError, match="'C'"):
        image_placement(tissue, "C")
    assert spot_diameter(tissue, "B") == 20.0
    assert share_inside(tissue, "A") == 1.0
    assert share_inside(tissue, "B") == 0.0
    # Spots of B alone decide about B.
    xy = tissue.obsm["spatial"]
    xy[:20] = np.random.default_rng(0).uniform(0, 100, (20, 2))
    tissue.obs["library_id"] = ["B"] * 20 + ["A"] * (tissue.n_obs - 20)
    assert share_inside(tissue, "B") == 1.0


def test_real_sections_are_aligned(shared_data):
    from napari_semst.io.read import read

    for name in ("DLPFC_151673", "DLPFC_151510_500genes", "HER2ST_A1"):
        share = share_inside(read(shared_data / "tissue" / f"{name}.h5ad"))
        assert share is not None
        assert share > 0.95, name


def test_real_spots_lie_on_tissue(shared_data):
    """Under spots in tissue the picture is darker than under those outside."""
    import pandas as pd

    from napari_semst.io.read import read

    tissue = read(shared_data / "tissue" / "DLPFC_151673.h5ad")
    placement = image_placement(tissue)
    table = pd.read_csv(
        shared_data / "visium_151673" / "spatial" / "tissue_positions_list.csv",
        header=None,
    )
    world = table[[4, 5]].to_numpy(dtype=float)
    rows, columns = (
        np.rint((world - placement.translate) / placement.scale).astype(int).T
    )
    brightness = placement.image.mean(axis=2)[rows, columns]
    in_tissue = table[1].to_numpy() == 1
    from sklearn.metrics import roc_auc_score

    aligned = roc_auc_score(~in_tissue, brightness)
    flipped = roc_auc_score(~in_tissue, placement.image.mean(axis=2)[columns, rows])
    assert aligned > 0.95
    assert aligned > flipped
