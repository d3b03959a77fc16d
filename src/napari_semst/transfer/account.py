"""What is said of a transfer: of its references, of the target, of each domain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_semst.io.checks import abbreviate
from napari_semst.pipeline.provenance import python_values
from napari_semst.transfer.explain import carried_by
from napari_semst.transfer.result import RUNNERS_UP, NamedDomain

if TYPE_CHECKING:
    from anndata import AnnData

    from napari_semst.config import Config
    from napari_semst.transfer.estimator import TransferScores
    from napari_semst.transfer.explain import CarriedBy
    from napari_semst.transfer.null import GroupNames
    from napari_semst.transfer.signature import Signature
    from napari_semst.transfer.target import TargetDomains

# Names known from fewer spots of the reference are told of, and so are panels with
# fewer genes whose meaning is known, in number or as a share.
_FEW_SPOTS, _FEW_GENES, _LITTLE_KNOWN = 20, 20, 0.5
# Below these many common genes nearly all is said by what genes mean.
_FEW_SHARED = 10
_FEW_IN_DOMAIN = 20
_GENES_TOLD = 5
_LEAST_TOLD = 0.005


def named_domains_of(
    scores: TransferScores, domains: TargetDomains, groups: GroupNames
) -> tuple[NamedDomain, ...]:
    """Return for each domain of the target its name, and what carried it."""
    import numpy as np

    labels = scores.labels
    sizes = np.bincount(domains.codes[domains.codes >= 0], minlength=len(domains.names))
    carried = carried_by(scores, domains.codes, groups.ranked[:, 0])
    named = []
    for place, domain in enumerate(domains.names):
        first, *others = groups.ranked[place][: RUNNERS_UP + 1].tolist()
        given = int(groups.best[place]) >= 0
        after = tuple((labels[n], float(groups.scores[place, n])) for n in others)
        named.append(
            NamedDomain(
                domain=domain,
                n_spots=int(sizes[place]),
                best=labels[first],
                name=labels[first] if given else "",
                score=float(groups.scores[place, first]),
                p=float(groups.p[place]),
                q=float(groups.q[place]),
                runners_up=after,
                sentence=_sentence(scores, domain, first, given, carried[place]),
            )
        )
    return tuple(named)


def _sentence(
    scores: TransferScores, domain: str, label: int, given: bool, carried: CarriedBy
) -> str:
    """Return the genes and terms that carried a name, or nearly did."""
    best = scores.labels[label]
    if not carried.genes:
        return f"Domain {domain} is none of these."
    much: list[str] = []
    little: list[str] = []
    place = {str(gene): row for row, gene in enumerate(scores.target.symbols)}
    pairs = zip(carried.genes, carried.reference_genes, strict=True)
    for (gene, _), told in list(pairs)[:_GENES_TOLD]:
        other = told and told.upper() != gene.upper()
        said = f"{gene} (as {told} in the reference)" if other else gene
        # A gene that the name lacks speaks for it by being rare.
        (much if scores.weights[label, place[gene]] > 0 else little).append(said)
    parts = [f"much {', '.join(much)}"] if much else []
    parts += [f"little {', '.join(little)}"] if little else []
    begin = (
        f"Domain {domain} is named {best} for"
        if given
        else f"Domain {domain} is none of these; the nearest, {best}, would rest on"
    )
    text = f"{begin} {' and '.join(parts)}"
    if carried.terms:
        text += f" (meanings: {'; '.join(carried.terms)})"
    share = carried.semantic_share
    if share < _LEAST_TOLD:
        return f"{text}. It all comes from genes that both have."
    if share > 1 - _LEAST_TOLD:
        return f"{text}. It all comes from genes that the reference lacks."
    return f"{text}. {share:.0%} of it comes from genes that the reference lacks."


def remarks_of_reference(
    signature: Signature, title: str, target_hash: str
) -> list[str]:
    """Return warnings of a reference: the target itself, few spots, no species.

    Parameters
    ----------
    title
        What it is called in sentences.
    target_hash
        Of the names of the target's spots.
    """
    said = []
    if signature.provenance.get("spots_hash") == target_hash:
        said.append(
            f"The spots of {title} have the names of the section's own: if they are "
            "one section, it was named by its own labels, which proves nothing."
        )
    few = [
        f"{label} ({count})"
        for label, count in zip(signature.labels, signature.n_spots, strict=True)
        if count < _FEW_SPOTS
    ]
    if few:
        said.append(
            f"Of {title} the names {abbreviate(few)} stand on fewer than {_FEW_SPOTS} "
            "spots: they are known roughly."
        )
    gone = [str(name) for name in signature.provenance.get("left_out", ())]
    if gone:
        said.append(
            f"Of {title} the names {abbreviate(gone)} have too few spots to be known, "
            "and are never given."
        )
    if signature.species == "other":
        said.append(
            f"The species of {title} could not be told from its genes: what is "
            "written like a human symbol is read as one."
        )
    return said


def remarks_of_target(
    tissue: AnnData,
    scores: TransferScores,
    domains: TargetDomains,
    config: Config,
) -> list[str]:
    """Return warnings of the section that was named."""
    import numpy as np

    from napari_semst.io import notes
    from napari_semst.io.gene_features import genes_of

    n_genes, known = len(scores.target.symbols), int(scores.target.known.sum())
    said = [
        *notes.input_warnings(tissue, told_apart=True),
        genes_of(tissue, config.prepare.features).sentence(),
    ]
    if scores.profiles.species == "other":
        said.append(
            "The species of the section could not be told from its genes: what is "
            "written like a human symbol is read as one."
        )
    if known < max(_FEW_GENES, _LITTLE_KNOWN * n_genes):
        said.append(
            f"The meaning of {known} of the section's {n_genes} genes is known: names "
            "rest on few. Use gene symbols, or human Ensembl ids."
        )
    if scores.n_shared < _FEW_SHARED:
        said.append(
            f"{scores.n_shared} genes are in common with the reference: names rest on "
            "what genes mean, which tells layers roughly. Look at the runners-up."
        )
    inside = domains.codes[domains.codes >= 0]
    sizes = np.bincount(inside, minlength=len(domains.names))
    few = [
        f"{name} ({size})"
        for name, size in zip(domains.names, sizes.tolist(), strict=True)
        if size < _FEW_IN_DOMAIN
    ]
    if few:
        said.append(
            f"Of the section's domains {abbreviate(few)} have fewer than "
            f"{_FEW_IN_DOMAIN} spots: a name for them is rarely sure."
        )
    return list(dict.fromkeys(filter(None, said)))


def remarks_of_names(
    groups: GroupNames, domains: TargetDomains, fdr: float
) -> list[str]:
    """Return why domains are none of these though chance would not look as like."""
    from napari_semst.transfer.null import LEAST_CORRELATION
    from napari_semst.transfer.tissue_fit import LEAST_FIT

    if groups.fit < LEAST_FIT:
        return [
            f"The reference explains {groups.fit:.1%} of what it could of how the "
            f"section's spots differ, less than {LEAST_FIT:.0%}: the section is of "
            "another tissue, or its genes are not comparable. No name is given."
        ]
    unlike: list[str] = []
    outdone: list[str] = []
    for place, name in enumerate(domains.names):
        if groups.q[place] > fdr or groups.best[place] >= 0:
            continue
        likeness = groups.scores[place, groups.ranked[place, 0]]
        (unlike if likeness < LEAST_CORRELATION else outdone).append(name)
    said = []
    if unlike:
        said.append(
            f"More like a name than chance, but less than {LEAST_CORRELATION:g}, which "
            f"is too little for the name: {abbreviate(unlike)}."
        )
    if outdone:
        said.append(
            "More like a name than chance, but not half as like it as another domain, "
            f"and so not given it: {abbreviate(outdone)}."
        )
    return said


def provenance_of(signature: Signature) -> dict[str, Any]:
    """Return where a signature is from, in plain values."""
    told = python_values(dict(signature.provenance))
    return {
        **told,
        "species": signature.species,
        "names": list(signature.labels),
        "n_genes": len(signature.genes),
    }
