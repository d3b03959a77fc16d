"""How many domains are named by another section, and how many of them wrongly.

    python benchmarks/transfer_domains.py FOLDER [--draws 999] [--dealt 3]
        [--references DLPFC_151673 ...] [--json FILE]

All ordered pairs of the folder's annotated cortex sections, with all genes that both
have and with none, at the default false discovery rate. Named are the annotated regions
and the domains that `semst transfer` finds where there are none (method quick, as many
as the reference has names). A domain is of the part of the brain that most of its
annotated spots are of. Then two breast tumours, named by cortex, and cortex named by
signatures whose values are dealt anew among genes of like expression, so often each.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
from anndata import read_h5ad
from transfer import PARTS, SECTIONS, left_with, read_section

from napari_semst.core.progress import RunControl, run_to_end
from napari_semst.errors import InputError
from napari_semst.genes.table import builtin_table
from napari_semst.transfer.estimator import name_spots
from napari_semst.transfer.null import STRATA, dealt_anew, name_groups, strata_of
from napari_semst.transfer.settings import TransferSettings
from napari_semst.transfer.target import TargetOptions, target_domains

TUMOURS = ("HER2ST_A1", "HER2ST_B1")


class Target:
    """A section, its annotated regions and its domains by default."""

    def __init__(self, path: Path) -> None:
        self.tissue = read_h5ad(path)
        truth = self.tissue.obs["ground_truth"].astype(object)
        self.truth = np.array([one if isinstance(one, str) else "" for one in truth])
        self._found: dict[int, tuple] = {}

    def regions(self):
        """Return the code of each spot's annotated region, and what each is."""
        names = np.unique(self.truth[self.truth != ""])
        codes = np.searchsorted(names, self.truth)
        return np.where(self.truth == "", -1, codes), names.tolist()

    def domains(self, n_labels: int):
        """Return the code of each spot's domain, and what most of each is."""
        if n_labels not in self._found:
            found = run_to_end(
                target_domains(self.tissue, TargetOptions(), n_labels, 0, RunControl())
            )
            kinds = [
                Counter(self.truth[(found.codes == one) & (self.truth != "")])
                for one in range(len(found.names))
            ]
            most = [kind.most_common(1)[0][0] if kind else "" for kind in kinds]
            self._found[n_labels] = found.codes, most
        return self._found[n_labels]


def named(signature, target: Target, settings: TransferSettings) -> list[dict]:
    """Return what each region and domain of a section is named, and what it is."""
    control, told = RunControl(), []
    scores = run_to_end(
        name_spots([signature], target.tissue, builtin_table(), control, settings)
    )
    kinds = {
        "region": target.regions(),
        "domain": target.domains(len(signature.labels)),
    }
    for kind, (codes, truth) in kinds.items():
        found = run_to_end(name_groups(scores, codes, len(truth), settings, control))
        for one, part in enumerate(truth):
            name = scores.labels[found.ranked[one, 0]]
            right = bool(PARTS[name] & PARTS.get(part, set()))
            told.append(
                {
                    "kind": kind,
                    "part": part,
                    "name": name,
                    "called": bool(found.best[one] >= 0),
                    "right": right,
                    "q": float(found.q[one]),
                    "p": float(found.p[one]),
                    "fit": found.fit,
                    "correlations": np.sort(found.scores[one])[::-1][:3].tolist(),
                }
            )
    return told


def line(title: str, told: list[dict]) -> str:
    """Return how many of each kind were named, and how many of these wrongly."""
    cells = []
    for kind in ("region", "domain"):
        one = [each for each in told if each["kind"] == kind]
        called = [each for each in one if each["called"]]
        wrong = sum(not each["right"] for each in called)
        cells.append(f"{len(called)} of {len(one)}, {wrong} wrong")
    return f"| {title} | {' | '.join(cells)} |"


def main() -> None:
    """Print a line for each pair, and the sums."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--draws", type=int, default=999)
    parser.add_argument("--dealt", type=int, default=3)
    parser.add_argument("--references", nargs="+", default=SECTIONS)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    started, places, sums = time.perf_counter(), {}, {}
    settings = TransferSettings(n_draws=options.draws)
    read = {
        name: read_section(options.folder / f"{name}.h5ad", places) for name in SECTIONS
    }
    targets = {
        name: Target(options.folder / f"{name}.h5ad") for name in (*SECTIONS, *TUMOURS)
    }
    random = np.random.default_rng(0)
    print(
        "| reference → target | genes | regions named | domains named |\n"
        "|---|---|---|---|"
    )
    for a in options.references:
        whole = read[a].signature
        strata = strata_of(
            whole.mean_expression, max(min(STRATA, len(whole.genes) // 10), 1)
        )
        for b in (*SECTIONS, *TUMOURS):
            if a == b:
                continue
            ways = {"all shared": whole}
            if b in SECTIONS:
                ways["none shared"] = left_with(read[a], read[b], 0, random)[0]
                for one in range(options.dealt):
                    order = dealt_anew(strata, 1, random)[0]
                    dealt = replace(whole, scores=whole.scores[:, order])
                    ways[f"dealt anew, {one}"] = dealt
            for way, signature in ways.items():
                try:
                    told = named(signature, targets[b], settings)
                except InputError:
                    print(f"| {a} → {b} | {way} | refused | refused |", flush=True)
                    continue
                kind = way.split(",")[0] if b in SECTIONS else "tumour"
                sums.setdefault(kind, []).extend({**x, "a": a, "b": b} for x in told)
                print(line(f"{a} → {b} | {way}", told), flush=True)
    for way, told in sums.items():
        print(line(f"all | {way}", told))
    print(f"{time.perf_counter() - started:.0f} s")
    if options.json:
        options.json.write_text(json.dumps(sums))


if __name__ == "__main__":
    main()
