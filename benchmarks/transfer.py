"""How rightly spots are named by another section, from no shared gene to all.

    python benchmarks/transfer.py FOLDER [--draws 20] [--shared 0 5 10 20]
        [--pairs DLPFC_151673:osmFISH_SScortex ...] [--json FILE]

All ordered pairs of the folder's annotated cortex sections. A layer is named rightly
where it has a layer of the truth in its name: L2/3 is right for layer 2 and for layer
3. Of each number of shared genes so many draws; all others in common are taken from
the reference. Shares of all annotated spots: parts of the brain that the reference does
not hold count as wrong. In brackets, of spots only whose part the reference holds.

`genes`: shared genes alone; `semantics`: gene vectors alone, as if no gene was shared;
`both`: the estimator; `vectors dealt`: the estimator, the target's vectors dealt anew
to its genes, shared genes in place; `names dealt`: the estimator's weights dealt anew
among genes of like expression, as the test of names does. Last, how far `both` is above
the better of genes and semantics: mean, least, and share of draws with -0.01 or more.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from anndata import read_h5ad
from scipy import sparse

from napari_semst.config import Config
from napari_semst.core.progress import RunControl, run_to_end
from napari_semst.genes.table import builtin_table
from napari_semst.pipeline.inputs import section_inputs
from napari_semst.transfer.balance import sample_profiles, semantic_weight
from napari_semst.transfer.kernel import (
    NamedGenes,
    named_genes,
    predict_signature,
    same_genes,
)
from napari_semst.transfer.null import STRATA, dealt_anew, strata_of
from napari_semst.transfer.profiles import Profiles, read_profiles
from napari_semst.transfer.settings import TransferSettings
from napari_semst.transfer.signature import Signature, signature_of

SECTIONS = (
    "DLPFC_151673",
    "DLPFC_151510_500genes",
    "STARmap_MVC_BY3_1k",
    "osmFISH_SScortex",
)
WAYS = ("genes", "semantics", "both", "vectors dealt", "names dealt")
# Which parts of the brain a name stands for: layers 1 to 6, white matter, others.
PARTS = {
    **{f"Layer{one}": {one} for one in range(1, 7)},
    **{f"L{one}": {one} for one in range(1, 7)},
    **{f"Layer {one}": {one} for one in range(1, 7)},
    "Pia Layer 1": {1},
    "L2/3": {2, 3},
    "Layer 2-3 medial": {2, 3},
    "Layer 2-3 lateral": {2, 3},
    "Layer 3-4": {3, 4},
    "WM": {7},
    "CC": {7},
    "White matter": {7},
    "HPC": {8},
    "Hippocampus": {8},
    "Ventricle": {9},
    "Internal Capsule Caudoputamen": {10},
}


@dataclass
class Read:
    """A section as both ends of a transfer see it; few enough spots to be dense."""

    signature: Signature
    own: NamedGenes
    profiles: Profiles
    target: NamedGenes
    dense: np.ndarray
    sample: np.ndarray
    strata: np.ndarray
    truth: np.ndarray


def read_section(path: Path, places: dict[str, int]) -> Read:
    """Return a section, its signature, its profiles and what the table knows of it."""
    tissue, settings, table = read_h5ad(path), TransferSettings(), builtin_table()
    signature = run_to_end(signature_of(tissue, "ground_truth", RunControl()))
    profiles = read_profiles(section_inputs(tissue, Config()), settings)
    own = named_genes(
        signature.genes,
        signature.species,
        table,
        places,
        signature.gene_ids or None,
    )
    target = named_genes(
        profiles.genes, profiles.species, table, places, profiles.gene_ids
    )
    truth = tissue.obs["ground_truth"].astype(object)
    named = np.array([one if isinstance(one, str) else "" for one in truth])
    annotated = np.flatnonzero(named != "")
    of_annotated = sparse.eye_array(profiles.n_spots, format="csr")[annotated]
    n_strata = max(min(STRATA, len(profiles.genes) // 10), 1)
    sample = sample_profiles(profiles, 0)
    profiles = profiles.along_foremost(sample)
    return Read(
        signature,
        own,
        profiles,
        target,
        profiles.group_means(of_annotated),
        sample,
        strata_of(profiles.mean, n_strata),
        named[annotated],
    )


def shares_right(labels, weights, target: Read) -> tuple[float, float]:
    """Return the share named rightly, of annotated spots and of those with a label."""
    parts, place = np.unique(target.truth, return_inverse=True)
    right = np.array([[bool(PARTS[a] & PARTS[b]) for a in labels] for b in parts])
    best = (target.dense @ weights.T.astype(np.float32)).argmax(axis=1)
    hit = right[place, best]
    return float(hit.mean()), float(hit[right.any(axis=1)[place]].mean())


def left_with(reference: Read, target: Read, n_shared: int, random):
    """Return a reference's signature with so many genes in common with the target."""
    meets = np.flatnonzero(same_genes(target.target, reference.own).getnnz(axis=1))
    taken = random.permutation(meets)[n_shared:]
    kept = np.setdiff1d(np.arange(len(reference.own.symbols)), taken)
    own, signature = reference.own, reference.signature
    genes = replace(
        own,
        symbols=own.symbols[kept],
        features=own.features[kept],
        known=own.known[kept],
        identity=own.identity[kept],
    )
    cut = replace(
        signature,
        genes=tuple(np.array(signature.genes)[kept]),
        gene_ids=(),
        scores=signature.scores[:, kept],
        mean_expression=signature.mean_expression[kept],
    )
    return cut, genes


def figures(reference: Read, target: Read, n_shared: int | None, seed: int) -> dict:
    """Return the share of spots named rightly in one draw, by each way."""
    random = np.random.default_rng(seed)
    signature, genes = reference.signature, reference.own
    if n_shared is not None:
        signature, genes = left_with(reference, target, n_shared, random)
    expected = predict_signature(signature, genes, target.target)
    weight = semantic_weight(expected, target.sample, 0)
    other = target.target
    features = other.features.copy()
    known = np.flatnonzero(other.known)
    features[known] = features[random.permutation(known)]
    dealt = predict_signature(signature, genes, replace(other, features=features))
    # Nothing of the target is a gene of the reference: vectors speak of all.
    apart = replace(other, identity=sparse.csr_matrix(other.identity.shape))
    alone = predict_signature(signature, genes, apart)
    order = dealt_anew(target.strata, 1, random)[0]
    both = expected.joint(weight)[0]
    ways = {
        "genes": expected.joint(0.0)[0],
        "semantics": alone.joint(1.0)[0],
        "both": both,
        "vectors dealt": dealt.joint(semantic_weight(dealt, target.sample, 0))[0],
        "names dealt": both[:, order],
    }
    found = {
        way: shares_right(signature.labels, weights, target)
        for way, weights in ways.items()
    }
    if not expected.shared.any():
        found["genes"] = (np.nan, np.nan)
    n_meets = int(expected.shared.sum())
    return found | {"n": n_meets, "told": expected.explained, "weight": weight}


def line(name: str, draws: list[dict]) -> str:
    """Return a line of the table: mean and deviation over draws."""
    cells = []
    for way in WAYS:
        values = np.array([one[way] for one in draws])
        mean, held = values.mean(axis=0)
        shown = f"{mean:.3f} ± {values[:, 0].std():.3f} ({held:.3f})"
        cells.append("-" if np.isnan(mean) else shown)
    gain = gains(draws)
    cells.append(f"{gain.mean():+.3f}, {gain.min():+.3f}, {(gain >= -0.01).mean():.0%}")
    means = [np.mean([one[key] for one in draws]) for key in ("n", "told", "weight")]
    told = f"{means[0]:.0f} | {means[1]:.2f} | {means[2]:.2f}"
    return f"| {name} | {told} | {' | '.join(cells)} |"


def gains(draws: list[dict]) -> np.ndarray:
    """Return how far the estimator is above the better of its parts, by draw."""
    shown = np.array([[one[way][0] for way in WAYS[:3]] for one in draws])
    gain: np.ndarray = shown[:, 2] - np.nanmax(shown[:, :2], axis=1)
    return gain


def main() -> None:
    """Print a line for each pair and number of shared genes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--draws", type=int, default=20)
    parser.add_argument("--shared", type=int, nargs="*", default=[0, 5, 10, 20])
    parser.add_argument("--pairs", nargs="*")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    pairs = [tuple(pair.split(":")) for pair in options.pairs or ()] or [
        (a, b) for a in SECTIONS for b in SECTIONS if a != b
    ]
    started, places, everything = time.perf_counter(), {}, {}
    names = dict.fromkeys(name for pair in pairs for name in pair)
    sections = {
        name: read_section(options.folder / f"{name}.h5ad", places) for name in names
    }
    head = "reference → target | shared | told | weight | "
    print(f"| {head}{' | '.join(WAYS)} | both above the better |")
    print("|---" * (len(WAYS) + 5) + "|")
    for a, b in pairs:
        for n_shared in [*options.shared, None]:
            first = figures(sections[a], sections[b], n_shared, 0)
            if n_shared and first["n"] < n_shared:
                continue
            n_draws = 1 if n_shared in (0, None) else options.draws
            others = range(1, n_draws)
            draws = [figures(sections[a], sections[b], n_shared, i) for i in others]
            everything[f"{a}:{b}:{n_shared}"] = [first, *draws]
            print(line(f"{a} → {b}", [first, *draws]), flush=True)
    gain = np.concatenate([gains(draws) for draws in everything.values()])
    ok = np.mean([gains(draws).mean() >= -0.01 for draws in everything.values()])
    print(
        f"above the better of both less 0.01: {(gain >= -0.01).mean():.0%} of draws, "
        f"{ok:.0%} of rows; worst draw {gain.min():+.3f}; "
        f"{time.perf_counter() - started:.0f} s"
    )
    if options.json:
        options.json.write_text(json.dumps(everything))


if __name__ == "__main__":
    main()
