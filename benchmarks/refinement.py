"""What refinement does to accuracy and thin layers, as docs/benchmarks.md reports it.

    python benchmarks/refinement.py FOLDER [--preset default] [--seeds 0 1 2]
        [--other-domains 0] [--simulated 0] [--readouts] [--cache FOLDER]
        [--output FILE.json]

FOLDER holds .h5ad files with raw counts and an annotation in obs["ground_truth"], which
enters the scores only. Every section is run once for each seed, up to the probabilities
of the consensus; the refinements are then compared on the same probabilities. The
number of domains is that of the annotation, or differs from it by --other-domains. The
hard simulated cortex of 3,000 spots is measured beside the files; --simulated 4 adds
those of seeds 1 to 4, and cells of seeds 0 to 4. With --readouts the readouts are
compared instead.

Recall of a class is the share of its spots that are in a domain whose main class it is.
The thinnest class is that whose spots have the smallest share of near neighbours of
their own class, the smallest that of the fewest spots; classes below ten are left out.
"""

from __future__ import annotations

import argparse
import itertools
import json
import pickle
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from accuracy import TRUTH
from sklearn.metrics import adjusted_rand_score

from napari_semst.config import DomainsConfig, Request
from napari_semst.core.progress import RunControl, run_to_end
from napari_semst.domains import cluster, refine
from napari_semst.domains.cluster_methods import READOUTS
from napari_semst.domains.consensus import consensus_posterior
from napari_semst.domains.mixture import one_hot
from napari_semst.io.read import read
from napari_semst.pipeline.run import find_domains
from napari_semst.prepare.components import neighbour_average
from napari_semst.sample import simulated_cortex

_LEAST_CLASS = 10


class Taken(Exception):  # noqa: N818 - an ending, not a fault
    """What is wanted of a run is there; the rest of it is not needed."""


@contextmanager
def taking():
    """Keep what a run knows when domains are assigned, and end it there."""
    kept, before = {}, cluster.assign_domains

    def take(fit, section, config, seed, control):
        kept["posterior"] = yield from consensus_posterior(
            fit.views,
            section.average,
            section.smoothing_rounds,
            config.n_domains,
            config.n_starts,
            seed,
            control,
        )
        kept.update(fit=fit, n_domains=config.n_domains)
        parts = ("average", "coordinates", "near", "n_spots", "sections")
        parts += ("smoothing_rounds",)
        kept["section"] = SimpleNamespace(**{n: getattr(section, n) for n in parts})
        raise Taken

    cluster.assign_domains = take
    try:
        yield kept
    except Taken:
        pass
    finally:
        cluster.assign_domains = before


def one_case(name, tissue, seed, options):
    """Return the posterior of a run, its views and its annotation."""
    truth = tissue.obs[TRUTH]
    k = int(truth.nunique()) + options.other_domains
    file = options.cache and options.cache / f"{options.preset}_{name}_{k}_{seed}.pkl"
    if file and file.exists():
        kept = pickle.loads(file.read_bytes())
    else:
        request = (
            Request(options.preset)
            .with_settings("domains", n_domains=k)
            .with_settings("training", seed=seed)
        )
        with taking() as kept:
            run_to_end(find_domains(tissue, request))
        if file:
            file.write_bytes(pickle.dumps(kept))
    known = truth.notna().to_numpy()
    labels = truth[known].astype(str).to_numpy(dtype=str)
    return SimpleNamespace(**kept, seed=seed, known=known, truth=labels)


def majority(case, neighbours, rounds):
    """Return labels after giving spots the domain of most of their neighbours."""
    labels = case.posterior.argmax(axis=1)
    average = neighbour_average(case.section.coordinates, neighbours)
    for _ in range(rounds):
        shares = average @ one_hot(labels, case.posterior.shape[1])
        labels = np.where(shares.max(axis=1) > 0.5, shares.argmax(axis=1), labels)
    return labels


def field(case, **constants):
    """Return what the product's refinement gives with other constants."""
    before = {name: getattr(refine, name) for name in constants}
    vars(refine).update(constants)
    try:
        return run_to_end(
            refine.refined(
                case.posterior,
                case.fit.views,
                case.section,
                DomainsConfig().refine,
                case.seed,
                RunControl(),
            )
        )
    finally:
        vars(refine).update(before)


FREE = {"MARGIN": 0.0, "SMALL": 0.0}
REFINEMENTS = {
    "none": lambda case: case.posterior.argmax(axis=1),
    "majority of 50": lambda case: majority(case, 50, 1),
    "near majority, 1 round": lambda case: majority(case, case.section.near, 1),
    "near majority, 3 rounds": lambda case: majority(case, case.section.near, 3),
    "near field, no own evidence": lambda case: field(
        case, NEIGHBOURS=6, OWN=0.0, **FREE
    ),
    "field, no own evidence": lambda case: field(case, OWN=0.0, **FREE),
    "field, own evidence": lambda case: field(case, **FREE),
    "the same, sure moves only": lambda case: field(case, SMALL=0.0),
    "the product's": field,
}


def read_off(name):
    """Return what reads domains off a case by the readout of that name, and refines."""

    def labels(case):
        if name == "consensus":
            return field(case)
        config = DomainsConfig(n_domains=case.n_domains, readout=name)
        asked = (case.fit, case.section, config, case.seed, RunControl())
        found = run_to_end(READOUTS[name](*asked)).labels
        rest = (case.fit.views, case.section, config.refine, case.seed, RunControl())
        return run_to_end(refine.refined_labels(found, *rest))

    return labels


def recall(case, labels, wanted):
    """Return the share of a class's spots in domains whose main class it is."""
    right, found = 0, labels[case.known]
    for code in np.unique(found):
        names, counts = np.unique(case.truth[found == code], return_counts=True)
        right += counts.max() if names[counts.argmax()] == wanted else 0
    return right / (case.truth == wanted).sum()


def thinnest_and_smallest(case):
    """Return the names of two classes."""
    average = neighbour_average(case.section.coordinates, case.section.near)
    names, place = np.unique(case.truth, return_inverse=True)
    sizes = np.bincount(place)
    same = average[case.known][:, case.known].tocoo()
    alike = np.bincount(
        place[same.row], weights=same.data * (place[same.row] == place[same.col])
    )
    enough = sizes >= _LEAST_CLASS
    thin = np.where(enough, alike / sizes, np.inf).argmin()
    return names[thin], names[np.where(enough, sizes, np.inf).argmin()]


def figures(cases, way):
    """Return the scores of one way, mean over the seeds of a section."""
    labels = [way(case) for case in cases]
    thin, small = thinnest_and_smallest(cases[0])
    pairs = [adjusted_rand_score(*two) for two in itertools.combinations(labels, 2)]

    def mean(score):
        return round(
            float(np.mean([score(*both) for both in zip(cases, labels, strict=True)])),
            4,
        )

    return {
        "ari": mean(lambda case, own: adjusted_rand_score(case.truth, own[case.known])),
        "thinnest": mean(lambda case, own: recall(case, own, thin)),
        "smallest": mean(lambda case, own: recall(case, own, small)),
        "changed": mean(
            lambda case, own: (case.posterior.argmax(axis=1) != own).mean()
        ),
        "agreement": round(float(np.mean(pairs)), 4) if pairs else None,
    }


def sections(options):
    """Yield the name and the reader of every section, files first."""
    for path in sorted(options.folder.glob("*.h5ad")):
        yield path.stem, lambda path=path: read(path)
    wanted = [("visium", seed) for seed in range(options.simulated + 1)]
    if options.simulated:
        wanted += [("cells", seed) for seed in range(options.simulated + 1)]
    for platform, seed in wanted:
        yield (
            f"simulated {platform} {seed}",
            lambda platform=platform, seed=seed: simulated_cortex(
                platform=platform, seed=seed, image=False, hard=True
            ),
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--preset", default="default")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--other-domains", type=int, default=0)
    parser.add_argument("--simulated", type=int, default=0)
    parser.add_argument("--readouts", action="store_true")
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    if options.cache:
        options.cache.mkdir(parents=True, exist_ok=True)
    ways = REFINEMENTS
    if options.readouts:
        ways = {name: read_off(name) for name in READOUTS}
    rows = []
    for name, opened in sections(options):
        tissue = opened()
        cases = [one_case(name, tissue, seed, options) for seed in options.seeds]
        for way, work in ways.items():
            rows.append({"section": name, "way": way, **figures(cases, work)})
            if options.readouts:  # their domains have other numbers
                del rows[-1]["changed"]
            print(json.dumps(rows[-1]), flush=True)
    for kind in ("files", "simulated"):
        for way in ways:
            own = [
                row
                for row in rows
                if row["way"] == way
                and row["section"].startswith("simulated") == (kind == "simulated")
            ]
            means = {
                score: round(float(np.mean([row[score] for row in own])), 4)
                for score in own[0]
                if score not in ("section", "way") and own[0][score] is not None
            }
            print(json.dumps({"mean of": kind, "way": way, **means}), flush=True)
    if options.output:
        options.output.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
