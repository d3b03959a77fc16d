"""What drives discordance: regions of it, and what sets each of them apart.

A region is compared twice: its genes with those of spots whose image is alike, its
image with that of spots that express alike. Both are spots that are as usual.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst import keys
from napari_semst.core.progress import Progress, RunControl, run_to_end
from napari_semst.core.threads import keep_limits
from napari_semst.errors import InputError
from napari_semst.explanation import explained_run as runs
from napari_semst.explanation.types import (
    DiscordanceMap,
    DiscordanceOptions,
    DiscordantRegion,
)
from napari_semst.methods.image_guided.regions import KINDS
from napari_semst.pipeline.provenance import python_values
from napari_semst.wording import Way, Worded

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

    from anndata import AnnData
    from numpy.typing import NDArray
    from scipy import sparse

    from napari_semst.explanation.types import Floats, Spots

    # Name, spots, and what the run says of a region.
    _Named = tuple[str, Spots, dict[str, Any]]


STAGE = "explain"
# Spots at or above this p-value are as usual: they are compared with. Those below it
# that touch discordant ones are of their region.
_USUAL = 0.05
# Spots alike that are sought for each of a region's: so many that there are about
# _COMPARED in all, within bounds.
_COMPARED, _FEWEST, _MOST = 100, 5, 30
# What a run says of each of its regions that is told.
_TOLD = ("kind", "expected_false", "q")
# Of regions of several sections, whose it is.
_SECTION = "section"


def explain_discordance(
    source: AnnData | str | Path,
    *,
    on_progress: Callable[[Progress], None] | None = None,
    **asked: Any,
) -> dict[str, Any]:
    """Say what drives each region of discordant spots; the tissue is not changed.

    Parameters
    ----------
    source
        A tissue with a result of the image-guided method, or the path of such a file.
    on_progress
        Called with every progress event.
    **asked
        ``n_genes`` and ``n_features`` told of each region at most; ``least_spots`` of
        a region.

    Returns
    -------
    dict
        Plain values: ``regions`` by the name the run gave, each with a ``sentence``,
        ``area_mm2`` (`None` where unknown), ``looks_like``, ``expresses_like``,
        ``domains`` and ``around`` (shares of domains), ``genes``, ``terms`` (of the
        genes that are higher) and ``image`` as columns of equal length; ``notes``.

    Raises
    ------
    InputError
        If the tissue has no map of discordance.
    ConfigError
        If something is asked that cannot be.
    """
    from napari_semst.io.read import as_tissue

    tissue, _ = as_tissue(source)
    steps = discordance_steps(tissue, DiscordanceOptions(**asked))
    return run_to_end(steps, on_progress)


def discordance_steps(
    tissue: AnnData, asked: DiscordanceOptions, control: RunControl | None = None
) -> Generator[Progress, None, dict[str, Any]]:
    """Say what drives discordance, as a generator that can be cancelled."""
    from napari_semst.core.threads import settle_threads
    from napari_semst.explanation.discordance_summary import summarise_discordance
    from napari_semst.explanation.markers import informative_expression
    from napari_semst.explanation.region_area import region_areas
    from napari_semst.pipeline.inputs import section_inputs

    control = control or RunControl()
    settle_threads()
    yield Progress(STAGE, 0, 0, "Reading the discordance map")
    found = read_map(tissue)
    named = _regions(tissue, found, asked.least_spots)
    genes: NDArray[np.str_] = np.zeros(0, np.str_)
    regions: list[DiscordantRegion] = []
    if named:
        inputs = section_inputs(tissue, found.what.config)
        genes, logged = informative_expression(inputs)
        every = [spots for _, spots, _ in named]
        areas = region_areas(tissue, found.coordinates, inputs.sections, every)
        for number, (name, spots, facts) in enumerate(named):
            control.check()
            yield Progress(STAGE, number, len(named), "Comparing regions")
            facts = {**facts, "area_mm2": areas[number]}
            members = _members(found, spots, asked.least_spots)
            regions.append(_compared(found, logged, name, spots, members, facts))
        yield Progress(STAGE, len(named), len(named), "Looking up terms")
    return summarise_discordance(found, regions, genes, asked)


def read_map(tissue: AnnData) -> DiscordanceMap:
    """Return what the latest run says of discordance, or raise `InputError`."""
    from napari_semst.pipeline.inputs import section_inputs
    from napari_semst.prepare.graphs import touching_graph
    from napari_semst.prepare.section import spatial_neighbours

    expected, expressed = _compared_by(tissue)
    what = runs.explained(tissue, None, None)
    inputs = section_inputs(tissue, what.config)
    places, sections = inputs.coordinates, inputs.sections
    average = spatial_neighbours(places, inputs.settings, sections)[2]
    called = tissue.obs[keys.DISCORDANT].to_numpy(dtype=bool)
    p_value = _smaller_p(tissue)
    image, names = _image_features(tissue, what)
    return DiscordanceMap(
        what,
        tissue.obs[keys.DISCORDANCE].to_numpy(dtype=np.float32),
        called,
        # Without a usable image it is NaN, and no comparison with NaN holds.
        (p_value < _USUAL) & ~called,
        (p_value >= _USUAL) & ~called,
        expected,
        expressed,
        image,
        names,
        touching_graph(average),
        places,
    )


def _smaller_p(tissue: AnnData) -> Floats:
    """Return the smaller p-value of the questions asked, times their number.

    Runs of earlier versions asked one.
    """
    asked = (keys.DISCORDANCE_P, keys.UNEXPLAINED_P)
    there = [tissue.obs[key].to_numpy(np.float32) for key in asked if key in tissue.obs]
    found: Floats = np.fmin.reduce(there) * np.float32(len(there))
    return found


def _compared_by(tissue: AnnData) -> tuple[Floats, Floats]:
    """Return what images predict and what is expressed, if a run compared the two."""
    pair = (keys.EXPECTED, keys.EXPRESSED)
    there = {
        f"obs[{key!r}]": key in tissue.obs
        for key in (keys.DISCORDANCE, keys.DISCORDANCE_P, keys.DISCORDANT)
    }
    regions = keys.DISCORDANT_REGION in tissue.obs
    said = keys.DISCORDANT_REGION if regions else keys.DISCORDANT
    nothing = (
        said in tissue.obs
        and not (tissue.obs[said].notna() if regions else tissue.obs[said]).any()
    )
    if all(there.values()) and nothing:
        # There is no region to tell of; these are missing where images predict nothing.
        none = np.zeros((tissue.n_obs, 0), np.float32)
        return none, none
    there |= {f"obsm[{key!r}]": key in tissue.obsm for key in pair}
    missing = [name for name, is_there in there.items() if not is_there]
    if missing:
        raise InputError(
            Worded(
                "Expected a map of discordance, which the method image-guided writes; "
                f"missing: {', '.join(missing)}. Run it first",
                Way(
                    ": semst run INPUT -k K --method image-guided.",
                    ": find_domains(..., method='image-guided').",
                    ", in the dock Find domains.",
                ),
            )
        )
    expected, expressed = (np.asarray(tissue.obsm[key], np.float32) for key in pair)
    return expected, expressed


def _regions(tissue: AnnData, found: DiscordanceMap, least_spots: int) -> list[_Named]:
    """Return the name, spots and facts of each region of so many spots or more.

    Runs of earlier versions found none: there regions are made of the spots that were
    called.
    """
    if keys.DISCORDANT_REGION not in tissue.obs:
        codes = regions_of(found.called, found.doubtful, found.touching, least_spots)
        return [
            (str(one + 1), np.flatnonzero(codes == one), {"kind": KINDS[1]})
            for one in range(int(codes.max(initial=-1)) + 1)
        ]
    column = tissue.obs[keys.DISCORDANT_REGION].astype("category").cat
    codes = column.codes.to_numpy(np.intp)
    table = found.what.facts.get("training", {}).get("discordant_regions", {})
    told = {name: python_values(table[name]) for name in _TOLD if name in table}
    regions = []
    for code, name in enumerate(map(str, column.categories)):
        spots = np.flatnonzero(codes == code)
        if len(spots) >= least_spots:
            # By its name: of a part of a section, regions without spots are gone.
            row = _row_of(name, told)
            facts = {key: told[key][row] for key in _TOLD}
            if _SECTION in table:
                facts[_SECTION] = python_values(table[_SECTION])[row]
            regions.append((name, spots, facts))
    return regions


def _row_of(name: str, told: dict[str, Any]) -> int:
    """Return a region's row in what the run says of regions, or raise `InputError`."""
    rows = min((len(told.get(key, ())) for key in _TOLD), default=0)
    if not (name.isdecimal() and 1 <= int(name) <= rows):
        raise InputError(
            f"Expected regions in obs[{keys.DISCORDANT_REGION!r}] numbered as the "
            f"latest run's record has them (1 to {rows}); found {name!r}. Run the "
            "method image-guided again."
        )
    return int(name) - 1


def regions_of(
    called: NDArray[np.bool_],
    doubtful: NDArray[np.bool_],
    touching: sparse.csr_matrix,
    least_spots: int,
) -> NDArray[np.intp]:
    """Return the region of each spot, largest first, -1 for none, ``(n_spots,)``.

    Discordant spots are of one region where they touch or have a neighbour in common;
    doubtful ones belong to it that touch it, one after the other.

    Parameters
    ----------
    called, doubtful
        Discordant spots, and those that are not and have a small p-value.
    touching
        Which spots touch, ``(n_spots, n_spots)``.
    least_spots
        Discordant spots of a region.
    """
    from scipy import sparse
    from scipy.sparse.csgraph import connected_components

    regions: NDArray[np.intp] = np.full(len(called), -1, np.intp)
    spots = np.flatnonzero(called | doubtful)
    if not called.any():
        return regions
    around = touching[spots]
    own = sparse.diags(called[spots].astype(np.float32)) @ around
    near = around[:, spots] + own @ own.T
    _, piece = connected_components(near, directed=False)
    sizes = np.bincount(piece, called[spots])
    order = np.argsort(-sizes, kind="stable")
    name = np.full(len(sizes), -1, np.intp)
    kept = order[sizes[order] >= least_spots]
    name[kept] = np.arange(len(kept))
    regions[spots] = name[piece]
    return regions


def alike(values: Floats, spots: Spots, among: Spots) -> Spots:
    """Return those of some spots that are nearest to others, each once.

    Parameters
    ----------
    values
        What they are compared by, ``(n_spots, width)``.
    spots
        Those that others are to be like.
    among
        Those that are chosen from.
    """
    from sklearn.neighbors import NearestNeighbors

    keep_limits()
    wanted = int(np.clip(-(-_COMPARED // len(spots)), _FEWEST, _MOST))
    search = NearestNeighbors(n_neighbors=min(wanted, len(among)))
    search.fit(values[among])
    nearest = search.kneighbors(values[spots], return_distance=False)
    found: Spots = among[np.unique(nearest)]
    return found


def _image_features(
    tissue: AnnData, what: runs.Explained
) -> tuple[Floats | None, tuple[str, ...]]:
    """Return the image features and their names, where they were kept."""
    if keys.IMAGE_FEATURES not in tissue.obsm:
        return None, ()
    values = np.asarray(tissue.obsm[keys.IMAGE_FEATURES], np.float32)
    names = tuple(map(str, what.facts.get("morphology", {}).get("names", ())))
    if len(names) != values.shape[1]:
        names = tuple(f"feature {number + 1}" for number in range(values.shape[1]))
    return values, names


def _members(measured: DiscordanceMap, spots: Spots, least_spots: int) -> Spots:
    """Return the spots of a region that tell what it is.

    Regions are wider than what they are found by: those that are called, where there
    are enough of them.
    """
    called = spots[measured.called[spots]]
    return called if len(called) >= least_spots else spots


def _compared(
    measured: DiscordanceMap,
    logged: sparse.csr_matrix,
    name: str,
    spots: Spots,
    members: Spots,
    facts: dict[str, Any],
) -> DiscordantRegion:
    """Return a region beside the spots that its members are compared with."""
    from napari_semst.explanation.markers import find_markers

    usual = np.setdiff1d(np.flatnonzero(measured.usual), spots)
    if not len(usual):
        raise InputError(
            "Expected spots that are not discordant, to compare with; found none. "
            "Look at how image and spots are aligned."
        )
    by_image = alike(measured.expected, members, usual)
    by_expression = alike(measured.expressed, members, usual)
    both = np.concatenate([members, by_image])
    codes = np.repeat(np.array([0, 1], np.int32), [len(members), len(by_image)])
    markers = find_markers(logged[both], codes, 2)
    features = _features(measured, members, by_expression)
    alikes = by_image, by_expression
    return DiscordantRegion(name, spots, *alikes, markers, features, facts)


def _features(
    measured: DiscordanceMap, spots: Spots, others: Spots
) -> tuple[tuple[str, ...], Floats, Floats, Floats]:
    """Return image features that vary, tested by rank sums against other spots."""
    from scipy.stats import false_discovery_control, mannwhitneyu

    none = np.zeros(0, np.float32)
    if measured.image is None:
        return (), none, none, none
    known = measured.image[np.isfinite(measured.discordance)]
    deviation = known.std(axis=0)
    varied = np.flatnonzero(np.isfinite(deviation) & (deviation > 0))
    if not len(varied):
        return (), none, none, none
    inside, outside = (measured.image[one][:, varied] for one in (spots, others))
    tested = mannwhitneyu(inside, outside, axis=0, method="asymptotic")
    auc = tested.statistic / (len(spots) * len(others))
    apart = (inside.mean(axis=0) - outside.mean(axis=0)) / deviation[varied]
    return (
        tuple(measured.names[one] for one in varied),
        auc.astype(np.float32),
        # All values equal in both give no p-value.
        false_discovery_control(np.nan_to_num(tested.pvalue, nan=1.0)).astype(
            np.float32
        ),
        apart.astype(np.float32),
    )
