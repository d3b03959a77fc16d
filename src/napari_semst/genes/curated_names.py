"""Names of genes that no public table holds, each checked by hand.

Facts of nomenclature, few on purpose: a gene that stays unknown is better than a wrong
one. What a name means is looked up in the gene table by the symbols given here.
"""

from __future__ import annotations

import re

# Probes of imaging panels that catch several genes at once, which share their sequence;
# keys as `probe_key` writes them. Where the number or the letter at the end alone
# differs (HBA1/2, KRT6A/B/C), `members_by_ending` reads it and none need stand here.
# It is here nevertheless where R takes the stroke for a point: then nothing tells the
# name from others.
COMPOSITE_PROBES: dict[str, tuple[str, ...]] = {
    "CCL3 L1 L3": ("CCL3", "CCL3L1", "CCL3L3"),
    "CCL4 L1 L2": ("CCL4", "CCL4L1", "CCL4L2"),
    "CXCL1 2 3": ("CXCL1", "CXCL2", "CXCL3"),
    "DEFA1 B": ("DEFA1", "DEFA1B"),
    "EIF5A L1": ("EIF5A", "EIF5AL1"),
    "FCGR3A B": ("FCGR3A", "FCGR3B"),
    "HBA1 2": ("HBA1", "HBA2"),
    "HCAR2 3": ("HCAR2", "HCAR3"),
    "HLA DPA1 B1": ("HLA-DPA1", "HLA-DPB1"),
    "HLA DQB1 2": ("HLA-DQB1", "HLA-DQB2"),
    "HLA DRB": ("HLA-DRB1", "HLA-DRB3", "HLA-DRB4", "HLA-DRB5"),
    "HSPA1A B": ("HSPA1A", "HSPA1B"),
    "IFNA1 13": ("IFNA1", "IFNA13"),
    "IFNL2 3": ("IFNL2", "IFNL3"),
    "KRT6A B C": ("KRT6A", "KRT6B", "KRT6C"),
    "MAP1LC3B 2": ("MAP1LC3B", "MAP1LC3B2"),
    "MHC I": ("HLA-A", "HLA-B", "HLA-C"),
    "MZT2A B": ("MZT2A", "MZT2B"),
    "PF4 V1": ("PF4", "PF4V1"),
    "SAA1 2": ("SAA1", "SAA2"),
    # TNXA is a pseudogene of TNXB.
    "TNXA B": ("TNXB",),
    "TPSAB1 B2": ("TPSAB1", "TPSB2"),
    "XCL1 2": ("XCL1", "XCL2"),
}

# Previous symbols of two genes, of which one bore it until a few years ago and is meant
# by it on panels and in references of genomes.
MEANT_OF_TWO: dict[str, str] = {
    "MUM1": "PWWP3A",
    "QARS": "QARS1",
    "STRA13": "CENPX",
}

# Genes that references of genomes counted apart, and that HGNC has since merged into a
# gene they lie in or beside: counts of these are no counts of that one.
MERGED_INTO_ANOTHER = frozenset({"C10ORF113", "TIAF1"})

# Names of other genes that look as if a tool had told two of one name apart.
NUMBERED = frozenset(
    {
        *("CS-1", "CS-2", "MBP-1", "PC-1"),
        *("BCR-1", "BCR-2", "BCR-4", "CBL-3", "HCCS-1", "PC-43", "RPL13-2", "ZNF674-1"),
        *(f"CRIPTO-{number}" for number in (2, 4, 5, 6, 7)),
    }
)
# Segments of antigen receptors are numbered so: IGHV3-30-2 is not IGHV3-30.
_SEGMENT = re.compile(r"(?:IG[HKL]|TR[ABDG])[VDJ]\d.*")

# What is put into cells and counted with their genes: fluorescent proteins, enzymes of
# recombination, reporters, resistances, channels of optogenetics.
_PROTEIN = (
    r"(?:[ACERWY]|EB|EC|EY|RO|SF|SG|CLO|MS|ZS|AC|TAG|TURBO|TUR|MTAG|MN|D|M|I|IR|T)?"
    r"[BCGRY]FP\d*"
)
_REPORTERS = re.compile(
    rf"{_PROTEIN}|M?CHERRY|TD-?TOM(?:ATO)?|[MT]FP|M?T?TFP\d*|DS-?RED2?|M?VENUS"
    r"|M?CITRINE|M?CERULEAN\d?|M?KATE2?|M?TURQUOISE2?|M?SCARLET|M?RUBY\d?|M?ORANGE\d?"
    r"|M?PLUM|M?TOMATO|M?NEONGREEN|NEONGREEN|ZS-?GREEN\d?|ZS-?YELLOW\d?|AM-?CYAN\d?"
    r"|DENDRA\d?|M?EOS\d?|KAEDE|DRONPA|CLOVER|R?GCAMP\w*|J?GCAMP\w*|RCAMP\w*"
    r"|N?L?I?CRE(?:-?ERT?\d?|-?RECOMBINASE)?|CRE-?ERT2|D?CAS9|FLPO?|DREO?|LAC-?Z"
    r"|F?LUC2?|LUCIFERASE|N-?LUC|R-?LUC|R?TTA\d?|TET-?[RO]|DTA|DTR|TVA|CHR2|ARCHT?"
    r"|HM[34]D[IQ]?|NP-?HR|WPRE|BGH-?POLY-?A|SV40\w*|NEO-?R?|PURO-?R?|HYGRO-?R?|BSD"
    r"|BLAST-?R?|AMP-?R|KAN-?R"
)


def is_transgene(name: str) -> bool:
    """Return whether a name is one of a reporter or another gene put into cells.

    Some are those of real genes as well, as CFP: whoever asks looks for approved
    symbols first.
    """
    return _REPORTERS.fullmatch(name.upper()) is not None


# Transcripts that lie in, across or beside a gene and are named by it or by number.
_NON_CODING = re.compile(
    r".+[-_.](?:AS|IT|OT|DT|NAT)\d*|LINC-?\d.*|MIR.*HG|MIR-?(?:LET)?\d.*|SNHG\d+"
    r"|SNOR[AD]\d.*"
)


def is_non_coding(name: str) -> bool:
    """Return whether a name is one of an antisense, intronic or host transcript.

    For those of human genes in upper case, where the name is no approved symbol of a
    coding gene. HGNC has merged some into the coding gene beside them.
    """
    return _NON_CODING.fullmatch(name) is not None


def is_numbered(name: str) -> bool:
    """Return whether a number at the end of an upper-case name is a part of it."""
    return name in NUMBERED or _SEGMENT.fullmatch(name) is not None


def probe_key(name: str) -> str:
    """Return a name in upper case with spaces for all signs, as R may change them."""
    return re.sub(r"[^A-Z0-9]+", " ", name.upper()).strip()


def members_by_ending(name: str) -> tuple[str, ...]:
    """Return the genes of a name as ``HBA1/2`` or ``KRT6A/B/C``; none of others.

    Each part after a stroke is a number where the first ends in a number, a letter
    where it ends in a letter; or all parts are whole names.
    """
    first, *others = name.split("/")
    if not others or not first:
        return ()
    whole = re.compile(r"[A-Za-z][\w-]{2,}")
    if all(whole.fullmatch(part) for part in others):
        return (first, *others)
    if all(part.isdigit() for part in others):
        stem = first.rstrip("0123456789")
    elif all(len(part) == 1 and part.isalpha() for part in others):
        stem = first[:-1] if first[-1].isalpha() else first
    else:
        return ()
    if stem in ("", first):
        return ()
    return (first, *(stem + part for part in others))
