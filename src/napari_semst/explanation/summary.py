"""An explanation as plain values, as one sentence per domain, and as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.explanation.modulation import UNUSED
from napari_semst.explanation.terms import distinct

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from napari_semst.explanation.semantic_genes import Meanings
    from napari_semst.explanation.types import ExplainOptions, Explanation

# Largest adjusted p-value of what is told as found.
FOUND = 0.05
# Chance from which on a gene is said: with many spots any difference has a small p.
_CLEAR = 0.6
# Medians this near the middle of all spots are not worth telling apart.
_AS_OTHERS = 0.1
_GENES_SAID, _TERMS_SAID, _GENES_OF_TERM = 3, 2, 5


def summarise(
    explanation: Explanation, wanted: ExplainOptions, sizes: NDArray[np.int64]
) -> dict[str, Any]:
    """Return an explanation as plain values."""
    meanings = explanation.meanings
    domains = {}
    for domain, name in enumerate(explanation.what.names):
        account = {
            "n_spots": int(sizes[domain]),
            "genes": _genes(explanation, domain, wanted.n_genes),
            "semantic_genes": _semantic_genes(meanings, domain, wanted.n_genes),
            "terms": _terms(meanings, domain, wanted.n_terms),
            "modulation": explanation.moved[domain],
            "counterfactual": explanation.changed[domain],
        }
        read = meanings is not None and meanings.terms is not None
        domains[name] = {"sentence": domain_sentence(name, account, read), **account}
    return {
        "run": explanation.what.run,
        "labels": explanation.what.column,
        "semantics": _source(meanings),
        "coverage": None if meanings is None else round(meanings.listed.coverage, 4),
        "terms_tested": len(meanings.terms[0].index)
        if meanings is not None and meanings.terms is not None
        else 0,
        "n_draws": wanted.n_draws,
        "seed": wanted.seed,
        "notes": explanation.notes,
        "domains": domains,
    }


def _source(meanings: Meanings | None) -> str:
    """Return whose vectors meanings are told by."""
    if meanings is None:
        return "none"
    return "genes" if meanings.terms is None else "builtin"


def _genes(explanation: Explanation, domain: int, most: int) -> dict[str, list[Any]]:
    """Return the genes that are highest inside, by their rank sums."""
    markers = explanation.markers
    order = np.argsort(-markers.score[domain], kind="stable")
    order = order[(markers.score[domain, order] > 0)][:most]
    columns = {
        "log2_fold_change": markers.log2_fold_change,
        "auc": markers.auc,
        "share_in": markers.share_in,
        "share_out": markers.share_out,
    }
    return {
        "gene": [str(gene) for gene in explanation.genes[order]],
        **{name: _rounded(values[domain, order]) for name, values in columns.items()},
        "p_adjusted": [float(p) for p in markers.p_adjusted[domain, order]],
    }


def _semantic_genes(
    meanings: Meanings | None, domain: int, most: int
) -> dict[str, list[Any]]:
    """Return the genes, listed more often inside, that make most of the difference."""
    if meanings is None:
        return {}
    meaning = meanings.meaning
    part = meaning.contribution[domain]
    order = np.argsort(-part, kind="stable")
    order = order[(part[order] > 0) & (meaning.excess[domain, order] > 0)][:most]
    return {
        "gene": [str(gene) for gene in meanings.listed.genes[order]],
        "contribution": _rounded(part[order]),
        "listed_in": _rounded(meaning.share_in[domain, order], 5),
        "listed_out": _rounded(meaning.share_out[domain, order], 5),
    }


def _terms(meanings: Meanings | None, domain: int, most: int) -> dict[str, list[Any]]:
    """Return the nearest terms, those found first, none twice in other words."""
    from napari_semst.genes.terms import builtin_terms

    if meanings is None or meanings.terms is None:
        return {}
    tested, tests = meanings.terms
    members = tested.members
    excess = meanings.meaning.excess[domain]
    asked = np.flatnonzero((tests.q[domain] < 1) | (tests.q_genes[domain] < 1))
    q, q_genes = tests.q[domain, asked], tests.q_genes[domain, asked]
    near = np.lexsort((-tests.cosine[domain, asked], q_genes > FOUND, q > FOUND))
    chosen = distinct(asked[near], tested, excess, most)
    names, table = [], builtin_terms()
    for term in chosen:
        genes = members.indices[members.indptr[term] : members.indptr[term + 1]]
        genes = genes[excess[genes] > 0]
        genes = genes[np.argsort(-excess[genes], kind="stable")][:_GENES_OF_TERM]
        names.append(" ".join(meanings.listed.genes[genes]))
    index = tested.index[chosen]
    columns = {
        "cosine": tests.cosine,
        "from_own_genes": tests.own,
        "p_random_domains": tests.p_domains,
        "p_random_genes": tests.p_genes,
        "q": tests.q,
        "q_random_genes": tests.q_genes,
    }
    return {
        "term": [table.names[i] for i in index],
        "origin": [table.origins[i] for i in index],
        **{name: _rounded(one[domain, chosen], 5) for name, one in columns.items()},
        "genes": names,
    }


def _rounded(values: NDArray[np.floating], digits: int = 4) -> list[float]:
    return [round(float(value), digits) for value in values]


def domain_sentence(name: str, told: dict[str, Any], read: bool) -> str:
    """Return what is said of a domain in one sentence.

    Parameters
    ----------
    read
        Whether terms were asked for.
    """
    parts = [_genes_said(told["genes"])]
    if read:
        parts.append(_terms_said(told["terms"]))
    elif told["semantic_genes"].get("gene"):
        most = ", ".join(told["semantic_genes"]["gene"][:_GENES_SAID])
        parts.append(f"in the model's vectors set apart most by {most}")
    parts += [_moved_said(told["modulation"]), _change_said(told["counterfactual"])]
    said = "; ".join(part for part in parts if part)
    return f"Domain {name} ({told['n_spots']} spots): {said}."


def _genes_said(genes: dict[str, list[Any]]) -> str:
    rows = zip(genes["gene"], genes["auc"], genes["p_adjusted"], strict=True)
    significant = [(gene, auc) for gene, auc, p in rows if p <= FOUND]
    clear = [f"{gene} (AUC {auc:.2f})" for gene, auc in significant if auc >= _CLEAR]
    if clear:
        return "genes " + ", ".join(clear[:_GENES_SAID])
    if significant:
        gene, auc = max(significant, key=lambda pair: pair[1])
        return f"no gene sets it clearly apart (best {gene}, AUC {auc:.2f})"
    return "no gene sets it apart"


def _terms_said(terms: dict[str, list[Any]]) -> str:
    columns = ("term", "q", "q_random_genes", "p_random_domains", "genes")
    rows = [
        dict(zip(columns, row, strict=True))
        for row in zip(*(terms[name] for name in columns), strict=True)
    ]
    significant = [row for row in rows if row["q"] <= FOUND][:_TERMS_SAID]
    if significant:
        return "near " + ", ".join(
            f"{row['term']} ({_behind(row)}; q = {row['q']:.2g})" for row in significant
        )
    shared = [row for row in rows if row["q_random_genes"] <= FOUND][:1]
    if not shared:
        return "no term of the gene table stands out"
    (row,) = shared
    share = row["p_random_domains"]
    said = (
        f"near {row['term']} ({_behind(row)}; q = {row['q_random_genes']:.2g} by genes"
    )
    if share <= FOUND:
        return f"{said}, not sure in space: q = {row['q']:.2g})"
    return (
        f"{said}), but not alone: {share:.0%} of random pieces of its size have as much"
    )


def _behind(row: dict[str, Any]) -> str:
    return ", ".join(row["genes"].split()[:_GENES_SAID])


def _moved_said(moved: dict[str, Any]) -> str:
    if not moved or moved["modulation_in"] < UNUSED:
        return ""
    share = moved["spots_moved_less"]
    if abs(share - 0.5) <= _AS_OTHERS:
        return "semantics moved it about as much as other spots"
    if share < 0.5:
        return f"semantics moved its median spot less than {1 - share:.0%} of spots"
    return f"semantics moved its median spot more than {share:.0%} of spots"


def _change_said(changed: dict[str, float]) -> str:
    if not changed:
        return ""
    without, other = changed["without_semantics"], changed["other_seed"]
    if without <= other:
        return (
            f"without semantics {without:.0%} of its spots change domain, no more than "
            f"with another seed ({other:.0%})"
        )
    return (
        f"without semantics {without:.0%} of its spots change domain, with another "
        f"seed {other:.0%}"
    )


def explanation_text(explanation: dict[str, Any]) -> str:
    """Return an explanation for people: a line per domain, then the notes."""
    lines = [domain["sentence"] for domain in explanation["domains"].values()]
    return "\n".join([*lines, *(f"Note: {note}" for note in explanation["notes"])])


def explanation_table(explanation: dict[str, Any]) -> pd.DataFrame:
    """Return an explanation as one table, a row per domain and gene or term.

    Parameters
    ----------
    explanation
        What `napari_semst.explain` returned.

    Returns
    -------
    pandas.DataFrame
        Columns ``domain``, ``kind`` (``gene``, ``semantic gene`` or ``term``) and
        ``name``, then those of each kind, empty where they are of another.
    """
    import pandas as pd

    parts = []
    for domain, account in explanation["domains"].items():
        for kind, key, name in (
            ("gene", "genes", "gene"),
            ("semantic gene", "semantic_genes", "gene"),
            ("term", "terms", "term"),
        ):
            part = pd.DataFrame(account[key])
            if len(part):
                part = part.rename(columns={name: "name"})
                part.insert(0, "kind", kind)
                part.insert(0, "domain", domain)
                parts.append(part)
    if not parts:
        return pd.DataFrame(columns=["domain", "kind", "name"])
    return pd.concat(parts, ignore_index=True)
