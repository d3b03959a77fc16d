"""The list of regions that people read: kind in words, size, certainty, genes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

KIND_WORDS = {
    "contradicts": "contradicts its image",
    "unexplained": "unexplained by its image",
}
"""What a region is, by its kind: the end of a sentence that it begins."""

KIND_HELP = {
    "contradicts": "Its genes go with another image of this section.",
    "unexplained": "Its genes are unusual among spots that look like it.",
}
"""What a kind means, in one sentence."""

TRUST = (
    "Regions were called from the same counts, and neighbouring spots are alike: "
    "p-values here put genes and features in order; that a region is discordant is "
    "said by its false discovery rate alone."
)
"""How regions are to be read: a note wherever some are told."""

_GENES_LISTED, _TERMS_LISTED = 5, 2


class RegionRow(NamedTuple):
    """One line of the list, as text.

    Parameters
    ----------
    name
        That of the run.
    kind
        In words.
    spots, area, q
        How many, in square millimetres, and the share of false ones to expect among
        regions as clear; empty where unknown.
    higher, lower
        Genes that carry it, the clearest first.
    terms
        That its higher genes are of.
    """

    name: str
    kind: str
    spots: str
    area: str
    q: str
    higher: str
    lower: str
    terms: str


def region_rows(told: Mapping[str, Any]) -> list[RegionRow]:
    """Return a line for each region.

    Parameters
    ----------
    told
        What `napari_semst.explain_discordance` returned.
    """
    return [
        RegionRow(
            name,
            KIND_WORDS[one["kind"]],
            f"{one['n_spots']:,}",
            area_in_words(one.get("area_mm2")),
            f"{one['q']:.2g}" if "q" in one else "",
            ", ".join(genes_told(one, "higher")[:_GENES_LISTED]),
            ", ".join(genes_told(one, "lower")[:_GENES_LISTED]),
            ", ".join(one["terms"]["term"][:_TERMS_LISTED]),
        )
        for name, one in told["regions"].items()
    ]


def genes_told(region: Mapping[str, Any], direction: str) -> list[str]:
    """Return the genes of a region that are higher, or lower, the clearest first."""
    told = region["genes"]
    pairs = zip(told["gene"], told["direction"], strict=True)
    return [str(gene) for gene, sign in pairs if sign == direction]


def area_in_words(area: float | None) -> str:
    """Return an area of so many square millimetres, empty where unknown."""
    if area is None:
        return ""
    if area < 0.01:
        return f"{1e6 * area:,.0f} \N{MICRO SIGN}m\N{SUPERSCRIPT TWO}"
    return f"{area:.2f} mm\N{SUPERSCRIPT TWO}"


def aside_note(trained: Mapping[str, Any]) -> str:
    """Return what is said of regions that are no discordance, empty without any.

    Parameters
    ----------
    trained
        What the run recorded of its training.
    """
    sizes = [int(one) for one in trained.get("regions_set_aside", {}).get("spots", ())]
    if not sizes:
        return ""
    listed = ", ".join(f"{one:,}" for one in sizes)
    return (
        f"Set aside: {len(sizes)} of {listed} spots, whose image is like no other "
        "place of the section (necrosis, a stromal reaction, beside a fold): nothing "
        "tells what to expect there."
    )


def region_labels(told: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return what a file of outlines tells of each region, by its name.

    Returns
    -------
    dict
        As `napari_semst.io.geojson.write_geojson` takes it: ``name``, ``measurements``
        and ``metadata``.
    """
    found = {}
    for name, one in told["regions"].items():
        numbers = {
            "Area mm2": one.get("area_mm2"),
            "q": one.get("q"),
            "As strong expected by chance": one.get("expected_false"),
            "Spots discordant one by one": one["n_discordant"],
        }
        found[name] = {
            "name": f"Region {name}: {KIND_WORDS[one['kind']]}",
            "measurements": {k: v for k, v in numbers.items() if v is not None},
            "metadata": {
                "kind": one["kind"],
                **({"section": one["section"]} if "section" in one else {}),
                "genes higher": ", ".join(genes_told(one, "higher")),
                "genes lower": ", ".join(genes_told(one, "lower")),
                "terms": "; ".join(one["terms"]["term"]),
                "sentence": one["sentence"],
            },
        }
    return found
