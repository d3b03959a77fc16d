"""Artefacts of a simulated section: seen in the image, and no discordance."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from typer.testing import CliRunner

from napari_semst.cli.main import app
from napari_semst.errors import ConfigError
from napari_semst.sample.artefacts import ARTEFACTS
from napari_semst.sample.simulate_discordance import simulated_discordance

N = 500


@cache
def section(*artefacts):
    return simulated_discordance(N, 300, seed=3, kinds=(), artefacts=artefacts)


def picture(tissue):
    entry = tissue.uns["spatial"]["simulated_discordance"]
    return entry["images"]["hires"].astype(float)


def of_spots(tissue, which):
    """Return the mean colour of the pixels at some spots."""
    entry = tissue.uns["spatial"]["simulated_discordance"]
    scale = entry["scalefactors"]["tissue_hires_scalef"]
    places = (tissue.obsm["spatial"][which] * scale).astype(int)
    return picture(tissue)[places[:, 1], places[:, 0]].mean(axis=0)


@pytest.mark.parametrize("kind", ["fold", "gradient", "shift"])
def test_handling_changes_the_image_alone(kind):
    plain, other = section(), section(kind)
    assert (plain.X != other.X).nnz == 0
    assert (other.obs["artefact"] == "none").all()
    assert "artefact" not in plain.obs
    assert not other.obs["discordant"].any()
    assert (picture(plain) != picture(other)).mean() > 0.005
    assert other.uns["dataset_info"]["artefacts"] == kind


def test_a_fold_is_dark_and_narrow():
    darker = picture(section("fold")).mean(axis=2) < 0.9 * picture(section()).mean(
        axis=2
    )
    assert 0.001 < darker.mean() < 0.05


def test_a_gradient_is_strong_on_one_side_and_faded_on_the_other():
    plain, other = picture(section()), picture(section("gradient"))
    stained = plain.mean(axis=2) < 225
    ratio = np.log(243 / np.maximum(other, 1)).mean(axis=2)[stained]
    ratio /= np.log(243 / np.maximum(plain, 1)).mean(axis=2)[stained]
    low, high = np.quantile(ratio, [0.02, 0.98])
    assert 0.6 < low < 0.9
    assert 1.1 < high < 1.4


def test_a_shifted_image_fits_again_where_it_is_moved_back():
    plain, other = (picture(section(*one)).mean(axis=2) for one in ((), ("shift",)))
    together = np.fft.ifft2(np.fft.fft2(other) * np.conj(np.fft.fft2(plain))).real
    rows, columns = np.unravel_index(together.argmax(), together.shape)
    size = len(plain)
    moved = np.hypot(*((np.array([rows, columns]) + size / 2) % size - size / 2))
    assert moved / size == pytest.approx(0.05 / 1.12, rel=0.1)


@pytest.mark.parametrize("kind", ["stroma", "necrosis"])
def test_regions_change_in_image_and_counts(kind):
    plain, other = section(), section(kind)
    inside = (other.obs["artefact"] == kind).to_numpy()
    assert inside.sum() == round(0.03 * N)
    assert not other.obs["discordant"].any()
    outside = ~inside
    assert (plain.X[outside] != other.X[outside]).nnz == 0
    counts = other.X[inside].sum() / plain.X[inside].sum()
    assert (counts < 0.6) if kind == "necrosis" else (0.8 < counts < 1.25)
    before, after = of_spots(plain, inside), of_spots(other, inside)
    # Necrosis is paler; fibres take up eosin, which takes green light away.
    assert (after[1] > before[1]) if kind == "necrosis" else (after[1] < before[1])


def test_planted_regions_stay_where_they_are():
    kinds = ("precancer",)
    plain = simulated_discordance(N, 300, seed=3, kinds=kinds, image=True)
    both = simulated_discordance(N, 300, seed=3, kinds=kinds, artefacts=("necrosis",))
    assert (plain.obs["discordant"] == both.obs["discordant"]).all()
    inside = (both.obs["artefact"] != "none").to_numpy()
    assert not (inside & both.obs["discordant"].to_numpy()).any()
    assert (plain.X[~inside] != both.X[~inside]).nnz == 0


def test_what_is_no_artefact_is_refused():
    with pytest.raises(ConfigError, match="artefacts"):
        simulated_discordance(N, 300, artefacts=("bubble",))
    with pytest.raises(ConfigError, match="once"):
        simulated_discordance(N, 300, artefacts=("fold", "fold"))
    with pytest.raises(ConfigError, match="image"):
        simulated_discordance(N, 300, artefacts=("fold",), image=False)


def test_the_command_writes_them(tmp_path):
    path = tmp_path / "section.h5ad"
    asked = ["--kinds", "none", "--artefacts", "stroma, necrosis", "--spots", "300"]
    done = CliRunner().invoke(
        app, ["sample", "discordant", "-o", str(path), "--genes", "300", *asked]
    )
    assert done.exit_code == 0, done.output
    from napari_semst import read

    tissue = read(path)
    assert set(tissue.obs["artefact"].astype(str)) == {"none", "stroma", "necrosis"}
    assert set(ARTEFACTS) == {"stroma", "necrosis", "fold", "gradient", "shift"}


def test_sections_of_a_cohort_have_genes_in_common_and_a_preparation_of_their_own():
    def drawn(seed, cohort):
        return simulated_discordance(N, 300, seed=seed, kinds=(), cohort=cohort)

    def levels(tissue):
        rest = np.log(np.asarray(tissue.X.sum(axis=0)).ravel() + 1)
        return rest - rest.mean()

    one, other, apart = drawn(1, 5), drawn(2, 5), drawn(2, 6)
    alike = np.corrcoef(levels(one), levels(other))[0, 1]
    assert alike > 0.95 > 0.6 > np.corrcoef(levels(one), levels(apart))[0, 1]
    assert np.abs(picture(one).mean() - picture(other).mean()) > 1
    assert one.uns["dataset_info"]["cohort"] == 5
    # Spots still lie on tissue, however the slide is turned.
    for tissue in (one, other):
        dark = of_spots(tissue, np.ones(tissue.n_obs, bool)).mean()
        assert dark < picture(tissue).mean() - 5
