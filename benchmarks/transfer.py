"""How rightly spots are named by another section, from no shared gene to all.

    python benchmarks/transfer.py FOLDER [--draws 20] [--shared 0 5 10 20]
        [--pairs DLPFC_151673:osmFISH_SScortex ...]

All ordered pairs of the folder's annotated cortex sections. A layer is named rightly
where it has a layer of the truth in its name: L2/3 is right for layer 2 and for layer
3. Parts of the brain that the reference does not hold count as named wrongly. Of each
number of shared genes so many draws; all others in common are taken from the
reference. `genes`: shared genes alone; `semantics`: gene vectors alone, shared genes
too; `both`: the estimator; `shuffled`: the same with the target's gene vectors dealt
anew to its genes, shared genes left in place.
"""

from __future__ import annotations

import argparse
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
from napari_semst.transfer.estimator import unit_rows
from napari_semst.transfer.kernel import named_genes, predict_signature, same_genes
from napari_semst.transfer.profiles import read_profiles
from napari_semst.transfer.settings import TransferSettings
from napari_semst.transfer.signature import signature_of

SECTIONS = (
    "DLPFC_151673",
    "DLPFC_151510_500genes",
    "STARmap_MVC_BY3_1k",
    "osmFISH_SScortex",
)
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

    signature: object
    profiles: object
    dense: np.ndarray
    sample: np.ndarray
    truth: np.ndarray


def read_section(path: Path) -> Read:
    """Return a section, its signature and its profiles."""
    tissue, settings = read_h5ad(path), TransferSettings()
    signature = run_to_end(signature_of(tissue, "ground_truth", RunControl()))
    profiles = read_profiles(section_inputs(tissue, Config()), settings)
    everything = sparse.eye_array(profiles.n_spots, format="csr")
    truth = tissue.obs["ground_truth"].astype(object)
    named = np.array([one if isinstance(one, str) else "" for one in truth])
    dense = profiles.group_means(everything)
    return Read(signature, profiles, dense, sample_profiles(profiles, 0), named)


def share_right(labels, scores, truth) -> float:
    """Return the share of annotated spots that are named rightly."""
    right = np.array([[bool(PARTS[a] & PARTS[b]) for a in labels] for b in truth if b])
    best = scores[truth != ""].argmax(axis=1)
    return float(right[np.arange(len(best)), best].mean())


def left_with(signature, genes, target, n_shared, random):
    """Return a signature with so many genes in common with the target."""
    meets = np.flatnonzero(np.diff(same_genes(target, genes).indptr))
    taken = random.permutation(meets)[n_shared:]
    kept = np.setdiff1d(np.arange(len(signature.genes)), taken)
    return replace(
        signature,
        genes=tuple(np.array(signature.genes)[kept]),
        scores=signature.scores[:, kept],
        mean_expression=signature.mean_expression[kept],
    )


def dealt(target, random):
    """Return the target's genes with vectors of one another."""
    features = target.features.copy()
    known = np.flatnonzero(target.known)
    features[known] = features[random.permutation(known)]
    return replace(target, features=features)


def figures(reference: Read, target: Read, n_shared: int | None, seed: int) -> dict:
    """Return the share of spots named rightly in one draw, by each way."""
    table, random, places = builtin_table(), np.random.default_rng(seed), {}
    wanted = named_genes(target.profiles.genes, target.profiles.species, table, places)
    signature = reference.signature
    if n_shared is not None:
        whole = named_genes(signature.genes, signature.species, table, places)
        signature = left_with(signature, whole, wanted, n_shared, random)
    genes = named_genes(signature.genes, signature.species, table, places)
    found = {}
    shuffled = dealt(wanted, random)
    for name, told in (("", wanted), ("shuffled", shuffled)):
        expected = predict_signature(signature, genes, told)
        weight = semantic_weight(expected, target.sample, 0)
        ways = {"both": expected.joint(weight)}
        if not name:
            ways |= {"genes": expected.own, "semantics": expected.like}
            found["explained"], found["weight"] = expected.explained, weight
            found["n"] = int(expected.shared.sum())
        for way, weights in ways.items():
            scores = target.dense @ unit_rows(weights).T
            right = share_right(signature.labels, scores, target.truth)
            found[name or way] = right
    if not expected.shared.any():
        found["genes"] = np.nan
    return found


def main() -> None:
    """Print a line for each pair and number of shared genes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--draws", type=int, default=20)
    parser.add_argument("--shared", type=int, nargs="*", default=[0, 5, 10, 20])
    parser.add_argument("--pairs", nargs="*")
    options = parser.parse_args()
    pairs = [tuple(pair.split(":")) for pair in options.pairs or ()] or [
        (a, b) for a in SECTIONS for b in SECTIONS if a != b
    ]
    sections = {
        name: read_section(options.folder / f"{name}.h5ad")
        for name in dict.fromkeys(name for pair in pairs for name in pair)
    }
    print("reference -> target | shared | genes | semantics | both | shuffled")
    for a, b in pairs:
        for n_shared in [*options.shared, None]:
            draws = 1 if n_shared in (0, None) else options.draws
            all_found = [
                figures(sections[a], sections[b], n_shared, seed)
                for seed in range(draws)
            ]
            if n_shared and all_found[0]["n"] < n_shared:
                continue
            told = []
            for way in ("genes", "semantics", "both", "shuffled"):
                values = np.array([one[way] for one in all_found])
                told.append(f"{values.mean():.3f} ± {values.std():.3f}")
            first = all_found[0]
            print(
                f"{a} -> {b} | {first['n']} | {' | '.join(told)} | "
                f"explained {first['explained']:.2f}, weight {first['weight']:.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
