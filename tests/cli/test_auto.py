"""The number of domains, as a shell sees it."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData, read_h5ad
from scipy import sparse

from napari_semst import find_domains
from napari_semst.errors import ConfigError, InputError, SaveError
from napari_semst.wording import for_shell
from tests.cli.test_main import call, section  # noqa: F401


@pytest.fixture
def tissue():
    return three_bands()


def three_bands():
    """Return 24 x 24 spots in three bands, with ten markers each."""
    random = np.random.default_rng(0)
    rows, columns = np.divmod(np.arange(24 * 24), 24)
    rate = np.ones((3, 40))
    for band in range(3):
        rate[band, 10 * band : 10 * (band + 1)] = 6.0
    counts = random.poisson(rate[rows // 8]).astype(np.float32)
    names = [f"spot{number}" for number in range(len(rows))]
    return AnnData(
        sparse.csr_matrix(counts),
        obs=pd.DataFrame(index=names),
        var=pd.DataFrame(index=[f"GENE{number}" for number in range(40)]),
        obsm={"spatial": np.column_stack([columns, rows]).astype(float)},
    )


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The result of a run, to be copied, and what it told."""
    folder = tmp_path_factory.mktemp("finished")
    three_bands().write_h5ad(folder / "section.h5ad")
    words = ("run", folder / "section.h5ad", "-k", "auto", "--method", "quick", "-q")
    return folder / "out.h5ad", call(*words, "-o", folder / "out.h5ad")


@pytest.fixture
def saved(section, finished):  # noqa: F811
    shutil.copy(finished[0], "out.h5ad")
    return "out.h5ad"


def test_the_choice_and_its_runners_up_are_reported(section, finished):  # noqa: F811
    _, said = finished
    words = ("run", section, "-k", "auto", "--method", "quick", "-q", "--json")
    curve = json.loads(call(*words))["number_of_domains"]
    assert curve["chosen"] == 3
    one, other = curve["runners_up"]
    assert f"3 domains chosen; next best {one} and {other}" in said
    assert curve["k"] == list(range(2, 16))
    assert all(len(curve[n]) == 14 for n in ("bic", "stability", "coherence", "score"))


def test_a_saved_run_holds_curve_and_hierarchy(saved):
    facts = read_h5ad(saved).uns["semst"]["default"]
    assert int(facts["number_of_domains"]["chosen"]) == 3
    assert facts["config"]["domains"]["n_domains"] == -1
    assert len(facts["hierarchy"]["kept"]) == int(facts["hierarchy"]["n_fine"]) - 1


def test_another_number_is_printed_or_saved_and_the_file_stays(saved, tmp_path):
    before = (tmp_path / saved).read_bytes()
    lines = call("domains", saved, "-k", 2).splitlines()
    assert lines[0] == "spot,semst_domain"
    assert len({line.split(",")[1] for line in lines[1:]}) == 2
    call("domains", saved, "-k", 2, "-o", "two.h5ad", "--curve", "curve.png")
    call("domains", saved, "-k", 2, "-o", "two.csv")
    assert (tmp_path / "two.csv").read_text().splitlines() == lines
    two = read_h5ad(tmp_path / "two.h5ad")
    assert two.obs["semst_domain_at_2"].nunique() == 2
    assert two.obs["semst_domain"].nunique() == 3
    there = [int(name) - 1 for name in two.obs["semst_domain_at_2"].cat.categories]
    of_three = np.asarray(two.uns["semst_domain_colors"])
    assert (two.uns["semst_domain_at_2_colors"] == of_three[there]).all()
    assert (tmp_path / "curve.png").read_bytes()[:4] == b"\x89PNG"
    assert (tmp_path / saved).read_bytes() == before


def test_what_cannot_be_done_says_what_to_do(section, saved):  # noqa: F811
    with pytest.raises(ConfigError, match="Add -k 5, or --curve"):
        call("domains", saved)
    with pytest.raises(ConfigError, match="as the hierarchy holds; got 40"):
        call("domains", saved, "-k", 40)
    with pytest.raises(SaveError, match="another file than the input"):
        call("domains", saved, "-k", 2, "-o", saved, "--overwrite")
    with pytest.raises(InputError, match="found none"):
        call("domains", section, "-k", 2)
    with pytest.raises(ConfigError, match="be chosen: n_domains='auto'") as found:
        call("run", section, "--json")
    assert "be chosen: -k auto" in for_shell(found.value)
    with pytest.raises(ConfigError, match="'auto'; got 'many'"):
        call("run", section, "-k", "many", "--json")


def test_python_takes_auto_too(tissue):
    done = find_domains(tissue, n_domains="auto", method="quick")
    assert done.obs["semst_domain"].nunique() == 3
    for wrong in (0, -1, "seven", 2.5, float("nan")):
        with pytest.raises(ConfigError, match="1 or more, or 'auto'"):
            find_domains(tissue, n_domains=wrong, method="quick")
