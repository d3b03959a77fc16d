"""The figures of the paper, drawn of what was measured."""

from __future__ import annotations

import re
import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.bench.layout import variants_of
from napari_semst.bench.summary import SCORES_SHOWN, cells_over_seeds, variant_label
from napari_semst.domains.metrics import matched_classes
from napari_semst.palette import MISSING_COLOR, domain_colors
from napari_semst.report.figures import ReportPicture

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from napari_semst.bench.inputs import FileFacts
    from napari_semst.bench.plan import BenchPlan
    from napari_semst.bench.results import Finished
    from napari_semst.bench.store import FinishedCell

_DPI = 110
_NAMES = {"ari": "ARI", "nmi": "NMI", "acc": "ACC", "f1_macro": "F1"}
_COLORS = domain_colors(len(SCORES_SHOWN))
_ONE, _OTHER = domain_colors(2)
# Spots drawn at most in one panel.
_MOST_SPOTS = 20_000


def draw_figures(
    plan: BenchPlan, facts: Mapping[str, FileFacts], finished: Finished
) -> list[ReportPicture]:
    """Return the figures of a plan, those without a finished cell left out.

    Parameters
    ----------
    facts
        Of every file, by its path in the plan.
    """
    drawn: list[ReportPicture] = []
    for number in plan.figures:
        for file in plan.files:
            known = facts[file.path]
            drawn += _DRAWN[number](plan, known, finished)
    return drawn


def _picture(figure: Figure, caption: str) -> ReportPicture:
    return ReportPicture.of(caption, figure, _DPI)


def _figure(n_panels: int, height: float = 2.9, *, one_scale: bool = False) -> Any:
    """Return a figure and its panels, side by side."""
    from matplotlib.figure import Figure

    figure = Figure((3.4 * n_panels, height), dpi=_DPI, layout="constrained")
    panels = figure.subplots(1, n_panels, squeeze=False, sharey=one_scale)
    return figure, list(panels[0])


def _plain(axes: Axes, title: str = "") -> None:
    axes.set_title(title, fontsize=9, parse_math=False)
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)


def _scattered(
    axes: Axes, places: NDArray[Any], codes: NDArray[np.integer[Any]], title: str
) -> None:
    """Draw spots coloured by a number each, those below 0 in grey."""
    spots = np.flatnonzero(_drawn_at(places))
    if len(spots) > _MOST_SPOTS:
        random = np.random.default_rng(0)
        spots = random.choice(spots, _MOST_SPOTS, replace=False)
    colors = np.array([*domain_colors(int(codes.max(initial=0)) + 1), MISSING_COLOR])
    size = float(np.clip(9000 / max(len(spots), 1), 0.3, 12))
    x, y = places[spots].T
    axes.scatter(x, y, s=size, c=colors[codes[spots]], linewidths=0)
    axes.set_title(title, fontsize=9, parse_math=False)
    axes.set_axis_off()


def _semantic_planes(
    plan: BenchPlan, known: FileFacts, finished: Finished
) -> list[ReportPicture]:
    """Figure 3: the semantic vectors of spots on a plane, by annotation."""
    shown = []
    for variant in dict.fromkeys(variants_of("figure 3", plan)):
        cell = finished.cell(known.name, variant, 0)
        if cell is not None and "plane" in cell.arrays:
            shown.append((variant, cell.arrays["plane"]))
    if not shown:
        return []
    figure, panels = _figure(len(shown))
    for axes, (variant, plane) in zip(panels, shown, strict=True):
        spoilt = "" if variant.control == "none" else f", {variant.control}"
        _scattered(axes, plane, known.codes, f"{variant.semantics}{spoilt}")
    text = f"Figure 3, {known.name}: semantic vectors of spots (UMAP), by annotation."
    return [_picture(figure, text)]


def _genes_of_a_spot(
    plan: BenchPlan, known: FileFacts, finished: Finished
) -> list[ReportPicture]:
    """Figure 4: scores over the number of genes that speak for a spot."""
    variants = variants_of("figure 4", plan)
    ticks = [variant.n_genes for variant in variants]

    def draw(axes: Axes, name: str, color: str, values: list[list[float]]) -> None:
        means, spread = _over_seeds(values)
        axes.errorbar(
            ticks, means, yerr=spread, label=_NAMES[name], color=color, marker="o",
            markersize=3, linewidth=1.2, capsize=2,
        )  # fmt: skip
        axes.set_xlabel("Genes of a spot (k_g)", fontsize=8, parse_math=False)

    return _over_variants(
        plan,
        known,
        finished,
        variants,
        draw,
        "Figure 4",
        "the number of genes of a spot",
    )


def _sources(
    plan: BenchPlan, known: FileFacts, finished: Finished
) -> list[ReportPicture]:
    """Figure 8: scores of SemST with each source of semantics."""
    variants = variants_of("figure 8", plan)
    if len(variants) < 2:
        return []
    names = [_short_source(variant.semantics) for variant in variants]

    def draw(axes: Axes, name: str, color: str, values: list[list[float]]) -> None:
        place = SCORES_SHOWN.index(name)
        means, spread = _over_seeds(values)
        across = np.arange(len(variants)) + 0.2 * (place - 1.5)
        axes.bar(
            across, means, 0.18, yerr=spread, label=_NAMES[name], color=color,
            error_kw={"linewidth": 0.9, "capsize": 2},
        )  # fmt: skip
        axes.set_xticks(range(len(variants)), names)

    return _over_variants(
        plan, known, finished, variants, draw, "Figure 8", "source of semantics"
    )


def _short_source(source: str) -> str:
    """Return a source for people: of a file its name alone, in lines that fit."""
    kind, _, place = source.partition(":")
    name = re.split(r"[/\\]", place)[-1]
    return "\n".join(textwrap.wrap(f"{kind}: {name}" if name else kind, 18))


def _over_seeds(
    values: list[list[float]],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return means and deviations; a mean of nothing is not a number."""
    means = [float(np.mean(x)) if x else np.nan for x in values]
    spread = [float(np.std(x, ddof=1)) if len(x) > 1 else 0.0 for x in values]
    return np.array(means), np.array(spread)


def _over_variants(
    plan: BenchPlan,
    known: FileFacts,
    finished: Finished,
    variants: Sequence[Any],
    draw: Callable[[Axes, str, str, list[list[float]]], None],
    number: str,
    over: str,
) -> list[ReportPicture]:
    """Return a panel for each readout, in which each score is drawn over variants."""
    cells = [cells_over_seeds(finished, known.name, variant) for variant in variants]
    # A cell may be of an earlier comparison, which read it otherwise.
    read = {
        readout: [_read_by(readout, of_variant) for of_variant in cells]
        for readout in plan.readouts
    }
    numbers = [len(found) for several in read.values() for found in several]
    if not any(numbers):
        return []
    figure, panels = _figure(len(plan.readouts), 3.2, one_scale=True)
    for axes, readout in zip(panels, plan.readouts, strict=True):
        for name, color in zip(SCORES_SHOWN, _COLORS, strict=True):
            values = [[one[name] for one in found] for found in read[readout]]
            draw(axes, name, color, values)
        _plain(axes, f"Readout {readout}")
    panels[0].set_ylabel("Score", fontsize=8)
    # One legend for all, where it hides no bar.
    figure.legend(
        *panels[0].get_legend_handles_labels(),
        loc="outside lower center",
        ncols=len(SCORES_SHOWN),
        fontsize=8,
        frameon=False,
    )
    seeds = min(numbers), max(numbers)
    told = f"{seeds[0]} to {seeds[1]}" if seeds[0] < seeds[1] else f"{seeds[1]}"
    text = (
        f"{number}, {known.name}: scores of SemST by {over}, means and deviations over "
        f"{told} seeds."
    )
    return [_picture(figure, text)]


def _read_by(readout: str, cells: Sequence[FinishedCell]) -> list[dict[str, float]]:
    """Return what a readout found in the cells that it read."""
    several = (cell.record["readouts"] for cell in cells)
    return [readouts[readout] for readouts in several if readout in readouts]


def _distributions(
    plan: BenchPlan, known: FileFacts, finished: Finished
) -> list[ReportPicture]:
    """Figure 6: how alpha and beta are distributed over spots and features."""
    drawn = []
    for variant in variants_of("figure 6", plan):
        cell = finished.cell(known.name, variant, 0)
        if cell is None or "alpha_counts" not in cell.arrays:
            continue
        figure, panels = _figure(2)
        for axes, name, color in zip(
            panels, ("alpha", "beta"), (_ONE, _OTHER), strict=True
        ):
            edges = cell.arrays[f"{name}_edges"]
            axes.stairs(cell.arrays[f"{name}_counts"], edges, fill=True, color=color)
            mean, spread = (cell.record[f"{name}_{what}"] for what in ("mean", "sd"))
            told = f"mean {mean:.3g}, deviation {spread:.3g}".replace(
                "-", "\N{MINUS SIGN}"
            )
            _plain(axes, f"{name}: {told}")
            axes.set_xlabel(f"{name} of a spot's feature", fontsize=8)
            axes.set_ylabel("Number of features of spots", fontsize=8)
        text = (
            f"Figure 6, {known.name}: alpha and beta of {variant_label(variant)}, all "
            "spots and features, first seed."
        )
        drawn.append(_picture(figure, text))
    return drawn


def _before_and_after(
    plan: BenchPlan, known: FileFacts, finished: Finished
) -> list[ReportPicture]:
    """Figure 7: annotation, and k-means before and after modulation."""
    drawn = []
    places = known.places * [1.0, -1.0]
    for variant in variants_of("figure 7", plan):
        cell = finished.cell(known.name, variant, 0)
        if cell is None or "modulation_before" not in cell.arrays:
            continue
        across, along = np.nan_to_num(np.ptp(places[_drawn_at(places)], axis=0))
        steep = float(np.clip(along / max(across, 1e-9), 0.3, 1.6))
        figure, panels = _figure(3, 3.4 * steep + 0.8)
        _scattered(panels[0], places, known.codes, "Annotation")
        _classes_below(figure, known)
        for axes, when in zip(panels[1:], ("before", "after"), strict=True):
            labels = cell.arrays[f"modulation_{when}"]
            codes, ari = _as_annotated(labels, known.codes)
            _scattered(axes, places, codes, f"{when.capitalize()}: ARI {ari:.3f}")
            axes.set_aspect("equal")
        panels[0].set_aspect("equal")
        text = (
            f"Figure 7, {known.name}: k-means of the features of "
            f"{variant_label(variant)} before and after modulation, first seed. "
            "Domains have the colours of the annotation that they match best."
        )
        drawn.append(_picture(figure, text))
    return drawn


def _drawn_at(places: NDArray[Any]) -> NDArray[np.bool_]:
    """Return which spots have a place."""
    return np.asarray(np.isfinite(places).all(axis=1))


def _classes_below(figure: Figure, known: FileFacts) -> None:
    """Name the annotated domains by their colours, below the panels."""
    from matplotlib.lines import Line2D

    colors = domain_colors(len(known.classes))
    dots = [
        Line2D([], [], linestyle="", marker="o", markersize=5, color=color)
        for color in colors
    ]
    legend = figure.legend(
        dots,
        known.classes,
        loc="outside lower center",
        ncols=min(len(dots), 7),
        fontsize=8,
        frameon=False,
        handletextpad=0.2,
    )
    for text in legend.get_texts():
        text.set_parse_math(False)


def _as_annotated(
    labels: NDArray[np.integer[Any]], truth: NDArray[np.int32]
) -> tuple[NDArray[np.integer[Any]], float]:
    """Return domains by the numbers of the annotation, and the ARI.

    Domains that match none have numbers after those.
    """
    from sklearn.metrics import adjusted_rand_score

    known = truth >= 0
    matched = matched_classes(labels[known], truth[known])
    codes = np.empty(len(labels), np.int64)
    spare = int(truth.max()) + 1
    for domain in np.unique(labels):
        own = matched[labels[known] == domain]
        if len(own) and own[0] >= 0:
            codes[labels == domain] = own[0]
        else:
            codes[labels == domain] = spare
            spare += 1
    return codes, float(adjusted_rand_score(truth[known], labels[known]))


_DRAWN = {
    "3": _semantic_planes,
    "4": _genes_of_a_spot,
    "6": _distributions,
    "7": _before_and_after,
    "8": _sources,
}
