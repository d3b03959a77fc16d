"""Score the discordance map on simulated sections where the truth is known.

Sections with a strong and a weak region of a kind; --kinds none: where nothing is
planted and every call is false; --artefacts fold: what is no discordance; --shuffle:
images of other spots; --turn 90: the image turned over the slide. The map does not
depend on the network, which is not trained here. Scores are the smaller p-value of
both questions, those of each, and as controls the surprise, which counts unusual
expression, too, and what is unusual in expression alone; spots are called by their own
counts, in regions. Seeds below 100 were looked at while the method was made.

    python benchmarks/discordance.py [--kinds none] [--artefacts fold,gradient]
        [--shuffle] [--turn 90] [--seeds 10]
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace

import numpy as np

from napari_semst import simulated_discordance
from napari_semst.config import Request
from napari_semst.core.progress import RunControl, run_to_end
from napari_semst.core.threads import threads_limited
from napari_semst.methods.image_guided.discordance import measure_discordance
from napari_semst.methods.image_guided.inputs import guided_inputs
from napari_semst.morphology.describe import describe_morphology
from napari_semst.pipeline.run import prepared
from napari_semst.prepare.graphs import touching_graph

REQUEST = Request(preset="image-guided").with_settings("domains", n_domains=7)


def measured(seed: int, options: argparse.Namespace) -> dict[str, object]:
    """Return what is found on one section, and how true it is."""
    kinds = () if options.kinds == "none" else tuple(options.kinds.split(","))
    artefacts = tuple(options.artefacts.split(","))
    tissue = simulated_discordance(
        options.spots, seed=seed, kinds=kinds, artefacts=artefacts
    )
    request = REQUEST.with_settings("training", seed=seed)
    control = RunControl()
    config, section, _ = run_to_end(prepared(tissue, request, control))
    morphology = run_to_end(
        describe_morphology(tissue, section.coordinates, config, control)
    )
    order = dealt(seed, section.coordinates, options)
    if order is not None:
        morphology = replace(
            morphology,
            features=morphology.features[order],
            usable=morphology.usable[order],
        )
    section = replace(section, morphology=morphology)
    with threads_limited(options.threads):
        inputs = guided_inputs(section, config)
        began = time.perf_counter()
        none = np.zeros((section.n_spots, 1), np.float32)
        found = run_to_end(measure_discordance(inputs, section, none, control))
        taken = time.perf_counter() - began
    planted = tissue.obs["discordance_strength"].astype(str).to_numpy()
    called, true = found.discordant, planted != "none"
    rings = rings_around(true, touching_graph(section.average))
    kinds = [int((found.kind == one).sum()) for one in (1, 2)]
    row: dict[str, object] = {
        "seed": seed,
        "directions": len(found.predicted),
        "called": int(called.sum()),
        "contradicts": kinds[0],
        "unexplained": kinds[1],
        "regions": len(found.regions),
        # Of which less than a fifth is planted.
        "false_regions": sum(
            bool(true[one.spots].mean() < 0.2) for one in found.regions
        ),
        # Told as what they are, and not called.
        "set_aside": len(found.aside),
        "offset": round(found.offset.pitches if found.offset else 0.0, 1),
        "flagged": int((~morphology.usable).sum()),
        "called_share": round(float(called.mean()), 4),
        # Outside of what is planted, and more than a ring and two rings of spots away.
        "false": [int((called & (rings > far)).sum()) for far in range(3)],
        "false_share": round(float((called & ~true).sum() / max(called.sum(), 1)), 3),
        "seconds": round(taken, 1),
    }
    p_value = found.p_value[~true & morphology.usable]
    unusual = found.p_unexplained[~true & morphology.usable]
    for share in (0.01, 0.05, 0.1, 0.5):
        # Of spots where nothing is planted: as large as the share, or smaller.
        row[f"p_up_to_{share}"] = round(float((p_value <= share).mean()), 4)
        row[f"p_unexplained_up_to_{share}"] = round(float((unusual <= share).mean()), 4)
    maps = {
        "_by_contradiction": found.contradiction,
        "_by_unexplained": found.unexplained,
        # The smaller p-value: by it spots are told from each other, and none is called.
        "": -np.fmin(found.p_value, found.p_unexplained),
        "_by_surprise": found.surprise,
        "_by_expression": np.square(found.expressed).sum(axis=1),
    }
    for strength in ("strong", "weak"):
        region = planted == strength
        if (region & morphology.usable).any():
            row |= scored(strength, maps, region, ~true & morphology.usable)
            row[f"{strength}_called"] = round(float(called[region].mean()), 3)
            inside = [region[one.spots].sum() / region.sum() for one in found.regions]
            row[f"{strength}_in_a_region"] = round(float(max(inside, default=0)), 3)
    return row


def rings_around(planted: np.ndarray, touching) -> np.ndarray:
    """Return in which ring of spots around a planted region each lies, 0 inside."""
    rings = np.where(planted, 0, 9)
    for ring in range(1, 9):
        near = touching @ (rings < ring).astype(np.float32) > 0
        rings[near & (rings == 9)] = ring
    return rings


def dealt(
    seed: int, places: np.ndarray, options: argparse.Namespace
) -> np.ndarray | None:
    """Return whose image each spot gets, `None` for its own."""
    from scipy.spatial import KDTree

    if options.shuffle:
        return np.random.default_rng(seed).permutation(len(places))
    if not options.turn:
        return None
    angle, middle = np.deg2rad(options.turn), (places.max(0) + places.min(0)) / 2
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return KDTree(places).query((places - middle) @ turn.T + middle)[1]


def scored(
    strength: str, maps: dict[str, np.ndarray], region: np.ndarray, rest: np.ndarray
) -> dict[str, object]:
    """Return how well each map tells a region from spots without any."""
    from sklearn.metrics import average_precision_score, roc_auc_score

    row: dict[str, object] = {}
    for name, values in maps.items():
        kept = (region | rest) & np.isfinite(values)
        score = roc_auc_score(region[kept], values[kept])
        row[f"{strength}_auroc{name}"] = round(float(score), 3)
        if not name:
            score = average_precision_score(region[kept], values[kept])
            row[f"{strength}_precision"] = round(float(score), 3)
    return row


def main() -> None:
    """Print a line for each section, and the means."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--spots", type=int, default=3000)
    parser.add_argument("--kinds", default="programme")
    parser.add_argument("--artefacts", default="none")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--shuffle", action="store_true")
    parser.add_argument("--turn", type=float, default=0.0, help="degrees")
    options = parser.parse_args()
    rows = []
    for seed in range(options.first, options.first + options.seeds):
        rows.append(measured(seed, options))
        print(json.dumps(rows[-1]), flush=True)
    names = [name for name in rows[0] if name != "seed"]
    means = {name: np.mean([row[name] for row in rows], axis=0) for name in names}
    print(json.dumps({name: value.round(3).tolist() for name, value in means.items()}))


if __name__ == "__main__":
    main()
