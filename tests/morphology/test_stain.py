import numpy as np

from napari_semst.morphology.stain import (
    REFERENCE_STAINS,
    WHITE,
    estimate_stains,
    normalise_stains,
    optical_density,
)

H, E = np.array([0.70, 0.62, 0.35]), np.array([0.18, 0.93, 0.32])
VECTORS = np.stack([H / np.linalg.norm(H), E / np.linalg.norm(E)])


def drawn(amounts, vectors, glass=WHITE):
    light = np.exp(-amounts @ vectors) * (np.array(glass) + 1) - 1
    return np.clip(np.rint(light), 0, 255).astype(np.uint8)


def amounts(n=20_000, seed=0):
    random = np.random.default_rng(seed)
    both = np.abs(random.normal(0, 0.05, (n, 2))) + 0.02
    nuclei = random.random(n) < 0.3
    both[nuclei, 0] += random.uniform(0.3, 1.2, nuclei.sum())
    both[~nuclei, 1] += random.uniform(0.3, 0.9, (~nuclei).sum())
    return both


def test_density_is_of_light_that_is_left():
    pixels = np.array([[255, 127, 0], [255, 255, 255]], np.uint8)
    found = optical_density(pixels)
    assert np.allclose(found[0], -np.log([1, 0.5, 1 / 256]), atol=1e-6)
    assert np.allclose(found, optical_density(pixels.astype(float)), atol=1e-6)


def test_both_stains_are_found_in_a_mixture():
    for glass in (WHITE, (240.0, 236.0, 242.0)):
        found = estimate_stains(drawn(amounts(), VECTORS, glass), glass)
        cosines = (found.vectors * VECTORS).sum(axis=1)
        assert np.degrees(np.arccos(cosines)).max() < 4
        assert "Macenko" in found.source
        assert set(found.notes()) == {
            "source",
            "haematoxylin",
            "eosin",
            "most",
            "glass",
        }


def test_amounts_are_those_that_were_drawn():
    drawn_with = amounts(500)
    found = estimate_stains(drawn(amounts(), VECTORS))
    density = optical_density(drawn(drawn_with, VECTORS), found.glass)
    got = density @ np.linalg.pinv(found.vectors)
    for stain in range(2):
        assert np.corrcoef(got[:, stain], drawn_with[:, stain])[0, 1] > 0.98


def test_where_there_are_no_two_stains_it_is_said():
    white = np.full((50, 50, 3), 250, np.uint8)
    assert "Only 0 pixels" in estimate_stains(white).source
    random = np.random.default_rng(0)
    one = drawn(random.uniform(0.4, 1, (5000, 1)), VECTORS[1:])
    assert "usual vectors" in estimate_stains(one).source
    green = random.integers(0, 200, (5000, 3)) * np.array([1, 0, 1]) + (0, 40, 0)
    found = estimate_stains(green.astype(np.uint8))
    assert "usual vectors" in found.source
    assert np.array_equal(found.vectors, REFERENCE_STAINS.vectors)


def test_two_laboratories_get_one_look():
    same = amounts()
    other = np.stack([VECTORS[0] + (0.1, -0.1, 0.1), VECTORS[1] + (0.1, -0.05, -0.1)])
    other /= np.linalg.norm(other, axis=1, keepdims=True)
    one, two = drawn(same, VECTORS), drawn(0.6 * same, other, (235.0, 235.0, 235.0))
    before = np.abs(one.astype(int) - two).mean()
    looks = [
        normalise_stains(one, estimate_stains(one)),
        normalise_stains(two, estimate_stains(two, (235.0, 235.0, 235.0))),
    ]
    assert looks[0].dtype == np.uint8
    assert np.abs(looks[0].astype(int) - looks[1]).mean() < before / 4


def test_an_image_in_the_reference_look_stays_as_it_is():
    image = drawn(amounts(2000), REFERENCE_STAINS.vectors.astype(float))
    assert (
        np.abs(normalise_stains(image, REFERENCE_STAINS).astype(int) - image).max() <= 1
    )
