"""Score the discordance map on simulated sections where the truth is known.

Ten sections with a strong and a weak region; --kinds none: sections where nothing is
planted and every call is false; --shuffle: images of other spots.

    python benchmarks/discordance.py [--kinds none] [--shuffle] [--seeds 10]
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace

import numpy as np

from napari_semst import simulated_discordance
from napari_semst.config import Request
from napari_semst.device import choose_device
from napari_semst.methods.image_guided import fit
from napari_semst.morphology.describe import describe_morphology
from napari_semst.pipeline import prepared
from napari_semst.progress import RunControl, exhaust
from napari_semst.threads import threads_limited

REQUEST = Request(preset="image-guided").with_settings("domains", n_domains=7)


def measured(seed: int, options: argparse.Namespace) -> dict[str, object]:
    """Return what is found on one section, and how true it is."""
    from sklearn.metrics import average_precision_score, roc_auc_score

    kinds = () if options.kinds == "none" else tuple(options.kinds.split(","))
    tissue = simulated_discordance(options.spots, seed=seed, kinds=kinds)
    request = REQUEST.with_settings("training", seed=seed, epochs=options.epochs)
    control, began = RunControl(), time.perf_counter()
    config, section, _ = exhaust(prepared(tissue, request, control))
    morphology = exhaust(describe_morphology(tissue, section, config, control))
    if options.shuffle:
        order = np.random.default_rng(seed).permutation(section.n_spots)
        morphology = replace(
            morphology,
            features=morphology.features[order],
            usable=morphology.usable[order],
        )
    section = replace(section, morphology=morphology)
    with threads_limited(options.threads):
        found = exhaust(fit(section, None, config, choose_device("cpu"), control))
    result, usable = found.discordance, morphology.usable
    planted = tissue.obs["discordance_strength"].astype(str).to_numpy()
    called, true = result.discordant, planted != "none"
    row: dict[str, object] = {
        "seed": seed,
        "called": int(called.sum()),
        "called_share": round(float(called.mean()), 4),
        "false_share": round(float((called & ~true).sum() / max(called.sum(), 1)), 3),
        "active_dimensions": found.notes["active_dimensions"],
        "seconds": round(time.perf_counter() - began),
    }
    for strength in ("strong", "weak"):
        region = planted == strength
        kept = usable & (region | ~true)
        if region[kept].any():
            score = result.divergence[kept]
            row[f"{strength}_auroc"] = round(roc_auc_score(region[kept], score), 3)
            precision = average_precision_score(region[kept], score)
            row[f"{strength}_precision"] = round(precision, 3)
            row[f"{strength}_found"] = round(float(called[region].mean()), 3)
    return row


def main() -> None:
    """Print a line for each section, and the means."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--spots", type=int, default=3000)
    parser.add_argument("--epochs", type=int, default=None)
    parser.add_argument("--kinds", default="programme")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--shuffle", action="store_true")
    options = parser.parse_args()
    rows = []
    for seed in range(options.first, options.first + options.seeds):
        rows.append(measured(seed, options))
        print(json.dumps(rows[-1]), flush=True)
    names = [name for name in rows[0] if name != "seed"]
    means = {name: float(np.mean([row[name] for row in rows])) for name in names}
    print(json.dumps({name: round(value, 3) for name, value in means.items()}))


if __name__ == "__main__":
    main()
