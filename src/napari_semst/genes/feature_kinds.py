"""Features that are no genes: controls, blanks and proteins, told by name or by type.

One rule for every reader. Names follow the makers' own patterns, types their words.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

PROBE, CODEWORD = "negative control probe", "negative control codeword"
UNASSIGNED, DEPRECATED = "unassigned codeword", "deprecated codeword"
BLANK, GENOMIC, ANTISENSE = "blank codeword", "genomic control", "antisense control"
FALSE, SYSTEM, SPIKE = "false code", "system control", "spike-in"
CONTROL, PROTEIN, GUIDE = "control", "protein", "guide or tag"
REGION, CUSTOM = "accessible region", "custom feature"
GENE = ""
"""What stands for a gene among kinds of features."""

# Between the words of a name: R writes points or hyphens for what makers write.
_GAP = r"[-_. :]*"
_END = r"(?:[-_. :]*[0-9A-Za-z]+)*"
# The makers' names, whatever their case. No approved symbol, alias or previous symbol
# of a human or mouse gene is among them, which a test holds.
_NAMES = (
    # Xenium
    (CODEWORD, rf"neg(?:ative)?{_GAP}(?:control|ctrl){_GAP}codeword{_END}"),
    (PROBE, rf"neg(?:ative)?{_GAP}(?:control|ctrl){_END}"),
    (UNASSIGNED, rf"unassigned{_GAP}codeword{_END}"),
    (DEPRECATED, rf"deprecated[-_. ]{_END}|deprecated{_GAP}codeword{_END}"),
    (GENOMIC, rf"intergenic{_GAP}region{_END}|genomic{_GAP}(?:control|ctrl){_END}"),
    (ANTISENSE, rf"antisense[-_. ]{_END}"),
    # CosMx and GeoMx
    (PROBE, rf"neg(?:ative)?{_GAP}pr(?:o)?be?{_END}|negative{_GAP}\d*"),
    (FALSE, rf"(?:false|fake){_GAP}(?:bar)?code{_END}|fake[-_. ]gene{_END}"),
    (SYSTEM, rf"system{_GAP}control{_END}"),
    # MERSCOPE, and seqFISH
    (BLANK, rf"blank{_GAP}(?:codeword)?{_GAP}\d*|blank[-_. ]{_END}"),
    (BLANK, rf"no{_GAP}target{_GAP}\d*"),
    (CONTROL, rf"sequential{_GAP}control{_END}|control{_GAP}(?:probe|codeword){_END}"),
    # Any: ERCC-00002, which is no ERCC2.
    (SPIKE, r"ERCC[-_.]\d{5}(?:[-_.]\d+)?"),
    # Antibodies of CITE-seq, as BioLegend's tags and Seurat's keys mark them.
    (PROTEIN, rf".+[-_.]total{_GAP}seq[-_.]?[abcd]?\d*|adt[-_:]{_END}"),
    (PROTEIN, rf"(?:antibody|protein)[-_:]{_END}"),
)
_ANY_NAME = re.compile("|".join(f"(?:{p})" for _, p in _NAMES), re.IGNORECASE)
_BY_NAME = tuple((kind, re.compile(p, re.IGNORECASE)) for kind, p in _NAMES)

# Words of a type that leave no doubt, and words that mean it only beside genes.
_CLEAR = (
    (CODEWORD, r"neg(?:ative)? ?(?:control|ctrl) codewords?"),
    (PROBE, r"neg(?:ative)? ?(?:control|ctrl)(?: probes?| genes?)?"),
    (PROBE, r"neg(?:ative)? ?pro?be?s?"),
    (UNASSIGNED, r"unassigned codewords?"),
    (DEPRECATED, r"deprecated(?: codewords?| probes?| genes?)?"),
    (BLANK, r"blank codewords?|blank (?:probe|barcode|control)s?"),
    (GENOMIC, r"genomic control(?: probes?)?|intergenic(?: regions?)?"),
    (ANTISENSE, r"antisense (?:control|probe)s?"),
    (FALSE, r"false ?codes?"),
    (SYSTEM, r"system ?controls?"),
    (CONTROL, r"control (?:probe|codeword|feature|gene)s?|technical controls?"),
    (
        PROTEIN,
        r"antibody capture|protein (?:expression|capture|scaling)|antigen capture",
    ),
    (GUIDE, r"crispr guide capture|multiplexing capture"),
    (REGION, r"chromatin accessibility"),
)
_BESIDE_GENES = (
    (PROBE, r"negatives?"),
    (CONTROL, r"(?:positive )?(?:controls?|ctrl)|positives?"),
    (BLANK, r"blanks?"),
    (UNASSIGNED, r"unassigned"),
    (PROTEIN, r"proteins?|antibod(?:y|ies)|adts?|abs?"),
    (GUIDE, r"guides?|sg ?rnas?|hashtags?|htos?"),
    (CUSTOM, r"custom(?: features?)?"),
    (REGION, r"peaks?|atac"),
    (SPIKE, r"spike ?ins?|ercc"),
    (SYSTEM, r"system"),
)
_OF_GENES = re.compile(
    r"gene expression|gex|[a-z ]*rna|transcripts?|endogenous|targets?|protein coding"
    r"|(?!blank|neg|false|fake|control|deprecated|unassigned)(?:[a-z]+ )*genes?"
    r"|[a-z ]*pseudogene|house ?keeping"
)
_TENX_GENES = "gene expression"
# Columns of types of features, which may hold one type alone.
_TYPE_COLUMNS = frozenset(
    (
        "feature type",
        "feature types",
        "featuretype",
        "feature class",
        "feature kind",
        "probe type",
        "code class",
        "codeclass",
        "codeword category",
        "target type",
        "modality",
    )
)
_MOST_TYPES = 60
_TRUE, _FALSE = (
    frozenset({"true", "1", "1.0", "yes"}),
    frozenset({"false", "0", "0.0", "no"}),
)
_FLAGS = (
    (GENE, r"(?:is )?(?:genes?|endogenous)"),
    (BLANK, r"(?:is )?blanks?(?: codewords?)?"),
    (
        PROBE,
        r"(?:is )?neg(?:ative)?(?: ?(?:control|ctrl|probe|prb))+s?|is neg(?:ative)?",
    ),
    (PROTEIN, r"is (?:antibody|protein|adt)"),
    (SPIKE, r"(?:is )?(?:ercc|spike ?ins?)"),
    (CONTROL, r"(?:is )?(?:control|ctrl)(?: (?:probe|feature|codeword|gene))?s?"),
)


def kind_of_name(name: str) -> str:
    """Return what a feature is by its name, as a maker names it; `GENE` for others."""
    name = name.strip()
    if not _ANY_NAME.fullmatch(name):
        return GENE
    return next(kind for kind, known in _BY_NAME if known.fullmatch(name))


def is_gene(name: str) -> bool:
    """Return whether a name is not one of a control, a blank or a protein."""
    return kind_of_name(name) == GENE


def kinds_by_type(
    values: Sequence[str] | NDArray[np.object_], column: str
) -> NDArray[np.object_] | None:
    """Return what features are by a column of their types; None where it tells none.

    Parameters
    ----------
    values
        The type of each feature as text, empty where it has none; shape
        ``(n_features,)``.
    column
        Name of the column, as ``feature_types`` or ``CodeClass``.
    """
    texts = np.asarray(values, dtype=object).astype(str)
    told, codes = np.unique(texts, return_inverse=True)
    if len(told) > _MOST_TYPES:
        return None
    words = [_plain(value) for value in told]
    sure = [_first(_CLEAR, word) for word in words]
    likely = [s or _first(_BESIDE_GENES, w) for s, w in zip(sure, words, strict=True)]
    of_genes = [
        not s and _OF_GENES.fullmatch(w) is not None
        for s, w in zip(sure, words, strict=True)
    ]
    known = [not w or bool(k) or g for w, k, g in _side(words, likely, of_genes)]
    if _TENX_GENES in words:
        # Beside 10x Genomics' genes, features of every other type are none.
        kinds = [GENE if g else k or w for w, k, g in _side(words, likely, of_genes)]
    elif (any(of_genes), all(known), _plain(column) in _TYPE_COLUMNS).count(True) > 1:
        kinds = [GENE if g else k for _, k, g in _side(words, likely, of_genes)]
    else:
        kinds = sure
    return np.array(kinds, dtype=object)[codes] if any(kinds) else None


def _side(
    words: list[str], kinds: list[str], of_genes: list[bool]
) -> Iterator[tuple[str, str, bool]]:
    return zip(words, kinds, of_genes, strict=True)


def kinds_by_flag(
    values: Sequence[str] | NDArray[np.object_], column: str
) -> NDArray[np.object_] | None:
    """Return what features are by a column of yes and no, as ``is_control``.

    Parameters
    ----------
    values, column
        As for `kinds_by_type`; none where the column's name or values say nothing.
    """
    kind = next((k for k, p in _FLAGS if re.fullmatch(p, _plain(column))), None)
    if kind is None:
        return None
    texts = np.char.lower(np.asarray(values, dtype=object).astype(str))
    if not set(texts.tolist()) <= _TRUE | _FALSE | {""}:
        return None
    wanted = _FALSE if kind == GENE else _TRUE
    hit = np.isin(texts, list(wanted))
    # A column that says the same of all tells none apart.
    if not hit.any() or hit.all():
        return None
    return np.where(hit, kind or CONTROL, GENE).astype(object)


def say_kinds(kinds: Iterable[str]) -> str:
    """Return how many features there are of each kind that is no gene, in words."""
    numbers: dict[str, int] = {}
    for kind in kinds:
        if kind != GENE:
            numbers[kind] = numbers.get(kind, 0) + 1
    return say_numbers(numbers)


def say_numbers(numbers: Mapping[str, int]) -> str:
    """Return numbers of features by kind in words, the most frequent first."""
    ordered = sorted(numbers.items(), key=lambda pair: (-pair[1], pair[0]))
    return ", ".join(
        f"{n:,} {kind if n == 1 else _plural(kind)}" for kind, n in ordered
    )


def _plural(kind: str) -> str:
    if kind == GUIDE:
        return "guides or tags"
    return kind if kind.endswith("s") else f"{kind}s"


def _plain(text: str) -> str:
    """Return a value or a column's name in lower case, its words apart by spaces."""
    apart = re.sub(r"(?<=[a-z])(?=[A-Z][a-z])", " ", text)
    return re.sub(r"[-_. /:]+", " ", apart).strip().lower()


def _first(rules: Sequence[tuple[str, str]], word: str) -> str:
    return next((kind for kind, known in rules if re.fullmatch(known, word)), GENE)
