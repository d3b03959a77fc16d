"""What drives discordance as plain values, as one sentence per region, as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.explanation.region_list import (
    KIND_WORDS,
    TRUST,
    area_in_words,
    aside_note,
)

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from napari_semst.explanation.region_terms import RegionTerms
    from napari_semst.explanation.types import (
        DiscordanceMap,
        DiscordanceOptions,
        DiscordantRegion,
    )

# Largest adjusted p-value, and least distance of the area under the ROC curve from a
# half, of what is told.
_FOUND, _CLEAR = 0.05, 0.1
_GENES_SAID, _FEATURES_SAID, _DOMAINS_SAID, _TERMS_SAID = 5, 2, 3, 2
# Terms told of each region at most.
_TERMS = 5
# Share of spots from which on a region is said to be like one domain.
_MOSTLY = 0.5


def summarise_discordance(
    measured: DiscordanceMap,
    regions: list[DiscordantRegion],
    genes: NDArray[np.str_],
    asked: DiscordanceOptions,
) -> dict[str, Any]:
    """Return what was found as plain values."""
    from napari_semst.explanation.region_terms import RegionTerms

    rate = measured.what.config.image_guided.discordance_fdr
    called = int(measured.called.sum())
    terms = RegionTerms(genes, measured.what.config) if regions else None
    told = {one.name: _of_region(measured, one, genes, terms, asked) for one in regions}
    inside = sum(region["n_discordant"] for region in told.values())
    notes = [TRUST] if told else []
    trained = measured.what.facts.get("training", {})
    if trained.get("patterns_predicted") == 0:
        notes.append(
            "The image predicts no expression reliably: nothing was compared. Look at "
            "how image and spots are aligned."
        )
    elif not called:
        notes.append(
            f"No spot is discordant at a false discovery rate of {rate:.0%}. That is "
            "not to say that image and expression agree everywhere: single spots and "
            "weak differences are not found."
        )
    elif inside < called:
        notes.append(
            f"{called - inside} of {called} discordant spots are in regions of fewer "
            f"than {asked.least_spots} spots; nothing is told of them."
        )
    if aside := aside_note(trained):
        notes.append(aside)
    if told and measured.image is None:
        notes.append(
            "The features of the image were not kept, as they are many: what differs "
            "in the image is not told. The encoder builtin keeps them."
        )
    return {
        "run": measured.what.run,
        "fdr": rate,
        "n_discordant": called,
        "n_compared": int(np.isfinite(measured.discordance).sum()),
        "regions": told,
        "notes": notes,
    }


def _of_region(
    measured: DiscordanceMap,
    region: DiscordantRegion,
    genes: NDArray[np.str_],
    terms: RegionTerms | None,
    asked: DiscordanceOptions,
) -> dict[str, Any]:
    higher, lower = _clear_genes(region)
    most = asked.n_genes
    ring = np.unique(measured.touching[region.spots].indices)
    ring = np.setdiff1d(ring, region.spots)
    x, y = measured.coordinates[region.spots].mean(axis=0)
    told = {
        "n_spots": len(region.spots),
        "n_discordant": int(measured.called[region.spots].sum()),
        **region.facts,
        "x": round(float(x), 2),
        "y": round(float(y), 2),
        "discordance": round(float(measured.discordance[region.spots].mean()), 4),
        "domains": _shares(measured, region.spots),
        "looks_like": _shares(measured, region.image_alike),
        "expresses_like": _shares(measured, region.expression_alike),
        "around": _shares(measured, ring),
        "genes": _genes(region, genes, [*higher[:most], *lower[:most]]),
        "terms": terms.told(higher, _TERMS) if terms is not None else {},
        "image": _image(region, asked.n_features),
    }
    return {"sentence": region_sentence(region.name, told), **told}


def _shares(measured: DiscordanceMap, spots: NDArray[np.intp]) -> dict[str, float]:
    """Return the domains of some spots, most frequent first, with their shares."""
    codes = measured.what.codes[spots]
    counts = np.bincount(codes[codes >= 0], minlength=len(measured.what.names))
    total = max(int(counts.sum()), 1)
    order = np.argsort(-counts, kind="stable")
    return {
        measured.what.names[code]: round(float(counts[code] / total), 4)
        for code in order
        if counts[code]
    }


def _clear_genes(
    region: DiscordantRegion,
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the genes that are higher, and those that are lower, clearest first."""
    tested = region.markers
    score, auc, p = tested.score[0], tested.auc[0], tested.p_adjusted[0]
    clear = (p <= _FOUND) & (np.abs(auc - 0.5) >= _CLEAR)
    kept = []
    for sign in (1, -1):
        order = np.argsort(-sign * score, kind="stable")
        kept.append(order[clear[order] & (sign * score[order] > 0)])
    return kept[0], kept[1]


def _genes(
    region: DiscordantRegion, genes: NDArray[np.str_], kept: list[int]
) -> dict[str, list[Any]]:
    """Return what is told of some genes."""
    tested = region.markers
    score, auc, p = tested.score[0], tested.auc[0], tested.p_adjusted[0]
    columns = {
        "log2_fold_change": tested.log2_fold_change[0],
        "auc": auc,
        "p_adjusted": p,
        "share_in": tested.share_in[0],
        "share_out": tested.share_out[0],
    }
    return {
        "gene": [str(genes[gene]) for gene in kept],
        "direction": ["higher" if score[gene] > 0 else "lower" for gene in kept],
        **{
            name: [float(f"{values[gene]:.4g}") for gene in kept]
            for name, values in columns.items()
        },
    }


def _image(region: DiscordantRegion, most: int) -> dict[str, list[Any]]:
    """Return the image features that differ, the clearest first."""
    names, auc, p, apart = region.features
    clear = (p <= _FOUND) & (np.abs(auc - 0.5) >= _CLEAR)
    order = np.argsort(-np.abs(auc - 0.5), kind="stable")
    kept = order[clear[order]][:most].tolist()
    return {
        "feature": [names[feature] for feature in kept],
        "direction": ["higher" if auc[feature] > 0.5 else "lower" for feature in kept],
        **{
            name: [float(f"{values[feature]:.4g}") for feature in kept]
            for name, values in (("difference", apart), ("auc", auc), ("p_adjusted", p))
        },
    }


def region_sentence(name: str, told: dict[str, Any]) -> str:
    """Return what a region is, in plain words."""
    looks, expresses = (_like(told[name]) for name in ("looks_like", "expresses_like"))
    if told["kind"] == "unexplained":
        like = (
            f"looks like {looks}, and expresses what is unusual among spots that look "
            f"alike; nearest to {expresses}"
        )
    elif looks == expresses:
        like = f"looks and expresses like {looks}, as far as domains tell"
    else:
        like = f"looks like {looks} but expresses like {expresses}"
    around = _domains(list(told["around"])[:_DOMAINS_SAID])
    called = told["n_discordant"]
    spots = f"{told['n_spots']} spots, {called} of them discordant one by one"
    if area := area_in_words(told["area_mm2"]):
        spots = f"{area}; {spots}"
    if "expected_false" in told:
        spots += f"; {told['expected_false']:.2g} as strong expected by chance"
    if "q" in told:
        spots += f"; q {told['q']:.2g}"
    verb = "is " * (told["kind"] == "unexplained") + KIND_WORDS[told["kind"]]
    whose = f" of section {told['section']}" if "section" in told else ""
    parts = [f"Region {name}{whose} {verb} ({spots}): {like}"]
    if around:
        parts[0] += f"; around it: {around}"
    genes = _said(told["genes"], "gene", _GENES_SAID)
    beside = "Against spots whose image is alike"
    parts.append(f"{beside}, {genes}" if genes else f"{beside}, no gene is clear")
    if terms := told["terms"].get("term", [])[:_TERMS_SAID]:
        parts.append(f"Genes that are higher are often of: {', '.join(terms)}")
    features = _said(told["image"], "feature", _FEATURES_SAID, ", ", "; ")
    if features:
        parts.append(f"Its image, against spots that express alike, has {features}")
    return ". ".join(parts) + "."


def _like(shares: dict[str, float]) -> str:
    """Return the domain that most spots are of, or those that many are of."""
    if not shares:
        return "no domain"
    first = next(iter(shares))
    if shares[first] >= _MOSTLY:
        return _domains([first])
    return _domains(list(shares)[:2], " or ")


def _domains(names: list[str], joint: str = ", ") -> str:
    if not names:
        return ""
    # Domains that nobody named have numbers.
    word = "domain " if len(names) == 1 else "domains "
    plain = all(name.isdigit() for name in names)
    return word + joint.join(names if plain else [f"{name!r}" for name in names])


def _said(
    told: dict[str, list[Any]], column: str, most: int, joint: str = ", ",
    between: str = "; ",
) -> str:  # fmt: skip
    """Return what is higher and what is lower, in words."""
    phrases = []
    for direction in ("higher", "lower"):
        names = [
            name
            for name, sign in zip(told[column], told["direction"], strict=True)
            if sign == direction
        ][:most]
        if names:
            quoted = names if column == "gene" else [f"'{name}'" for name in names]
            phrases.append(f"{direction}: {joint.join(quoted)}")
    return between.join(phrases)


def discordance_text(told: dict[str, Any]) -> str:
    """Return everything as lines for people."""
    first = (
        f"{told['n_discordant']} of {told['n_compared']} spots are discordant at a "
        f"false discovery rate of {told['fdr']:.0%}."
    )
    sentences = [one["sentence"] for one in told["regions"].values()]
    return "\n".join([first, *sentences, *(f"Note: {one}" for one in told["notes"])])


def discordance_table(told: dict[str, Any]) -> pd.DataFrame:
    """Return one table, a row per region and gene or image feature.

    Parameters
    ----------
    told
        What `napari_semst.explain_discordance` returned.

    Returns
    -------
    pandas.DataFrame
        Columns ``region``, ``discordance`` (``contradicts`` or ``unexplained``),
        ``n_spots``, ``kind`` (``gene`` or ``image``), ``name`` and
        ``direction``, then those of each kind, empty where they are of the other.
    """
    import pandas as pd

    parts = []
    for region, account in told["regions"].items():
        for kind, key, name in (
            ("gene", "genes", "gene"),
            ("image", "image", "feature"),
        ):
            part = pd.DataFrame(account[key]).rename(columns={name: "name"})
            if len(part):
                part.insert(0, "kind", kind)
                part.insert(0, "n_spots", account["n_spots"])
                part.insert(0, "discordance", account["kind"])
                part.insert(0, "region", region)
                parts.append(part)
    if not parts:
        first = ["region", "discordance", "n_spots", "kind", "name", "direction"]
        return pd.DataFrame(columns=first)
    return pd.concat(parts, ignore_index=True)
