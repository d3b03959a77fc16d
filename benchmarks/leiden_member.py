"""A member of the consensus by Leiden, for scattered cells: the search for it.

    python benchmarks/leiden_member.py FOLDER [--presets default quick]
        [--seeds 0 1 2] [--simulated 3] [--features means "second moments"]
        [--graphs 15 50 200] [--votes-only] [--cache FOLDER] [--output FILE.json]

FOLDER holds .h5ad files of scattered cells with raw counts and an annotation in
obs["ground_truth"], which enters the scores only, and gives the number of domains.
Simulated cells (hard) are measured beside them. Every section is run once for each seed
up to its views; then the consensus is taken as it is and with Leiden communities of a
graph of many neighbours in it, and refined by the product's refinement each time.

Communities are of components averaged over neighbours at three depths, or with their
second moments; they are a member among the first mixtures, the only start of the second
ones, or have some of the votes of the last.
"""

from __future__ import annotations

import argparse
import itertools
import json
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from refinement import field, one_case, sections
from sklearn.metrics import adjusted_rand_score

from napari_semst.config import DomainsConfig
from napari_semst.core.progress import RunControl, run_to_end
from napari_semst.domains import consensus
from napari_semst.domains.leiden import communities
from napari_semst.domains.mixture import Standardizer, one_hot
from napari_semst.prepare.components import averaged_once
from napari_semst.prepare.graphs import feature_graph

_MOMENTS_OF = 8
VOTES = (0.1, 0.2, 0.3)
_STARTS = DomainsConfig().n_starts


def depths(values, section):
    """Return values averaged one round less, as often, and one round more."""
    rounds, found = section.smoothing_rounds, []
    for step in range(rounds + 2):
        if step >= max(rounds - 1, 0):
            found.append(values)
        values = averaged_once(values, section.average)
    return found


def three_depths(view, section):
    """Return 15 components at three depths, side by side."""
    return np.hstack(depths(view[:, :15], section))


def second_moments(view, section):
    """Return products of components, averaged at three depths, side by side."""
    few = view[:, :_MOMENTS_OF] - view[:, :_MOMENTS_OF].mean(axis=0)
    rows, columns = np.triu_indices(_MOMENTS_OF)
    products = few[:, rows] * few[:, columns]
    return np.hstack([*depths(few, section), *depths(products, section)])


FEATURES = {"means": three_depths, "second moments": second_moments}


def leiden_of(case, features, neighbours):
    """Return communities by a view's features, or None where k were not found."""
    view = next(view.values for view in case.fit.views if view.smooth)
    values = np.asarray(FEATURES[features](view, case.section), np.float32)
    points = Standardizer.fit(values).transform(values)
    graph, _ = feature_graph(points, neighbours, case.seed)
    found = run_to_end(communities(graph, case.n_domains, case.seed, RunControl()))
    labels = np.unique(found, return_inverse=True)[1]
    return labels if labels.max() + 1 == case.n_domains else None


@contextmanager
def agreeing(change, known):
    """Let first members that are known be heard together with others."""
    before = consensus.agreed, consensus.fit_many_starts
    told = iter(known)

    def fit(*given):
        mixture = next(told, None)
        if mixture is None:
            known.append(mixture := before[1](*given))
        return mixture

    consensus.agreed = lambda members: before[0](change(members))
    consensus.fit_many_starts = fit
    try:
        yield
    finally:
        consensus.agreed, consensus.fit_many_starts = before


def again(case, change):
    """Return the consensus, its first members changed."""
    known = vars(case).setdefault("first", [])
    with agreeing(change, known):
        return run_to_end(
            consensus.consensus_posterior(
                case.fit.views,
                case.section.average,
                case.section.smoothing_rounds,
                case.n_domains,
                _STARTS,
                case.seed,
                RunControl(),
            )
        )


def posteriors(case, own, options):
    """Yield a name and a posterior for every place of Leiden in the consensus."""
    yield "alone", own
    if not options.votes_only:
        yield "one of the first", again(case, lambda members: [*members, own])
        yield "half of the first", again(case, lambda m: [*m, *[own] * len(m)])
        yield "start of the second", again(case, lambda members: [own])
    for votes in VOTES:
        order = consensus.matched([case.posterior, own])[0]
        first, second = (
            one[:, places]
            for one, places in zip((case.posterior, own), order, strict=True)
        )
        yield f"{votes:g} of the last", (1 - votes) * first + votes * second


def scores(case, options):
    """Return the ARI of every way on a case, its own consensus among them."""

    def ari(posterior):
        settled = SimpleNamespace(**{**vars(case), "posterior": posterior})
        return adjusted_rand_score(case.truth, field(settled)[case.known])

    found = {"consensus": ari(case.posterior)}
    for features, neighbours in itertools.product(options.features, options.graphs):
        labels = leiden_of(case, features, neighbours)
        if labels is None:
            continue
        own = one_hot(labels, case.n_domains).astype(np.float32)
        for place, posterior in posteriors(case, own, options):
            found[f"{features}, {neighbours}, {place}"] = ari(posterior)
    return {name: round(float(value), 4) for name, value in found.items()}


def tell(rows):
    """Print what each way gains in the mean, and where it loses most."""
    gains = {}
    groups = {}
    for row in rows:
        groups.setdefault((row["preset"], row["section"]), []).append(row["ari"])
    for name in sorted({way for row in rows for way in row["ari"]}):
        each = [
            float(np.mean([ari.get(name, ari["consensus"]) for ari in several]))
            - float(np.mean([ari["consensus"] for ari in several]))
            for several in groups.values()
        ]
        gains[name] = (np.mean(each), min(each), max(each))
    for name, (mean, least, most) in sorted(gains.items(), key=lambda g: -g[1][0]):
        print(f"{mean:+.4f}  least {least:+.4f}  most {most:+.4f}  {name}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--presets", nargs="+", default=["default", "quick"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--simulated", type=int, default=3)
    parser.add_argument("--features", nargs="+", choices=FEATURES, default=[*FEATURES])
    parser.add_argument("--graphs", nargs="+", type=int, default=[15, 50, 200])
    parser.add_argument("--votes-only", action="store_true", help="fit none anew")
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    if options.cache:
        options.cache.mkdir(parents=True, exist_ok=True)
    options.other_domains = 0
    rows = []
    for preset in options.presets:
        options.preset = preset
        for name, opened in sections(options):
            if name.startswith("simulated visium"):
                continue
            tissue = opened()
            for seed in options.seeds:
                case = one_case(name, tissue, seed, options)
                own = {"preset": preset, "section": name, "seed": seed}
                rows.append({**own, "ari": scores(case, options)})
                best = max(rows[-1]["ari"], key=rows[-1]["ari"].get)
                found = rows[-1]["ari"]
                told = {"consensus": found["consensus"], best: found[best]}
                print(json.dumps({**own, **told}), flush=True)
                if options.output:
                    options.output.write_text(json.dumps(rows, indent=1) + "\n")
    tell(rows)


if __name__ == "__main__":
    main()
