"""Genes of the simulated section: markers known from textbooks, and the others.

The symbols are real so that gene semantics has something to say about them; the
figures made for them are not.
"""

from __future__ import annotations

from functools import cache

CELL_TYPES = (
    "Ex L2/3", "Ex L3", "Ex L4", "Ex L5 IT", "Ex L5 ET", "Ex L6 IT", "Ex L6 CT",
    "Ex L6b", "In LAMP5", "In VIP", "In SST", "In PVALB", "Astrocyte",
    "Interlaminar astrocyte", "Oligodendrocyte", "OPC", "Microglia", "Endothelium",
    "Pericyte", "Meninges",
)  # fmt: skip

# Programmes of one or several cell types: name -> (types, symbols, fold over the rest).
MARKERS: dict[str, tuple[tuple[str, ...], str, float]] = {
    "Ex L2/3": (("Ex L2/3",), "CUX2 CALB1 HPCAL1 CARTPT RASGRF2 SERPINE2 PDZD2 GLRA3 "
        "LMO4 NECTIN3 CUX1 WFS1 PENK", 8),
    "Ex L3": (("Ex L3",), "FREM3 COL5A2 ADCYAP1 PRSS12 ENC1 MFGE8 CARTPT OPN3 BEND5 "
        "LTK CHGB", 7),
    "Ex L4": (("Ex L4",), "RORB EYA4 PLCH1 IL1RAPL2 TRPC3 MME COBL VAMP1 SCN1B "
        "KCNS1 GRIK4", 9),
    "Ex L5 IT": (("Ex L5 IT", "Ex L5 ET"), "PCP4 TRABD2A ETV1 SULF2 HTR2C DEPTOR "
        "FAM3C KCNIP2 TSHZ2 PDE1A TMSB10", 9),
    "Ex L5 ET": (("Ex L5 ET",), "FEZF2 BCL11B POU3F1 SCN4B VAT1L CHST8 NEFH ADRA1A "
        "CRYM LDB2 PARM1", 10),
    "Ex L6 IT": (("Ex L6 IT",), "NTNG2 OPRK1 THEMIS KRT17 SYNPR LRRK1 PXDN NR4A3 "
        "SMYD1 SERTM1", 9),
    "Ex L6 CT": (("Ex L6 CT",), "TLE4 FOXP2 SYT6 SEMA3E HS3ST4 RXFP1 GRIK3 ADAMTSL1 "
        "DIRAS2 SLA2", 9),
    "Ex L6b": (("Ex L6b",), "CCN2 NR4A2 NXPH4 CPLX3 DRD1 CTXN3 ST3GAL1 TRPM3 KCNK2 "
        "CCN4", 10),
    "Excitatory": (CELL_TYPES[:8], "SLC17A7 NRGN CAMK2A NEUROD2 NEUROD6 SATB2 CHN1 "
        "OLFM1 BDNF TBR1 BAIAP2 LINGO1 CCK PRKCB", 5),
    "Neuron": (CELL_TYPES[:12], "SNAP25 SYT1 MAP1B THY1 STMN2 RTN1 ENO2 UCHL1 VSNL1 "
        "NEFL NEFM SYP GAP43 ATP1A3 STXBP1 SNCB YWHAH MAP2 CPLX1 DNM1", 4),
    "In LAMP5": (("In LAMP5",), "LAMP5 RELN NDNF CXCL14 KIT SV2C LHX6 PAX6 NOS1 "
        "CALB2", 12),
    "In VIP": (("In VIP",), "VIP CALB2 CRH TAC3 PROX1 HTR3A CNR1 IGF1 SP8 PENK", 12),
    "In SST": (("In SST",), "SST NPY CORT CHODL ELFN1 GRIN3A NXPH1 CRHBP RAB3B "
        "TRHDE", 14),
    "In PVALB": (("In PVALB",), "PVALB TAC1 KCNC2 ERBB4 SULF1 LHX6 KCNAB3 MYO5B "
        "CNTNAP3 SCUBE3", 12),
    "Inhibitory": (CELL_TYPES[8:12], "GAD1 GAD2 SLC32A1 SLC6A1 DLX1 DLX5 DLX6 ARX "
        "ERBB4 ZNF385D", 10),
    "Astrocyte": (("Astrocyte", "Interlaminar astrocyte"), "GFAP AQP4 SLC1A2 SLC1A3 "
        "GJA1 ALDH1L1 S100B ALDOC CLU GJB6 SOX9 FGFR3 SLC4A4 NDRG2 AGT MLC1", 8),
    "Interlaminar astrocyte": (("Interlaminar astrocyte", "Meninges"), "FABP7 ID3 "
        "MT1G MT2A MT1X SERPINA3 CD44 VIM AQP1 HPSE2 CST3 GFAP", 7),
    "Oligodendrocyte": (("Oligodendrocyte",), "MBP MOBP PLP1 MOG MAG CNP CLDN11 MAL "
        "ERMN OPALIN KLK6 UGT8 TF CRYAB ASPA NDRG1 QDPR ENPP2 CNTN2 GPR37 SEPTIN4 "
        "PAQR6 CARNS1 PPP1R14A", 14),
    "OPC": (("OPC",), "PDGFRA CSPG4 OLIG1 OLIG2 SOX10 PTPRZ1 VCAN PCDH15 TNR LHFPL3 "
        "GPR17 BCAN", 8),
    "Microglia": (("Microglia",), "C1QA C1QB C1QC CX3CR1 P2RY12 CSF1R AIF1 TYROBP "
        "TREM2 CD74 ITGAM APBB1IP", 14),
    "Endothelium": (("Endothelium",), "CLDN5 FLT1 PECAM1 VWF ITM2A CD34 SLC2A1 ABCB1 "
        "ESAM BSG PODXL ERG", 14),
    "Pericyte": (("Pericyte",), "PDGFRB RGS5 ACTA2 TAGLN MYL9 NOTCH3 KCNJ8 "
        "HIGD1B ABCC9 ATP1A2", 14),
    "Meninges": (("Meninges",), "COL1A1 COL1A2 COL3A1 DCN LUM PTGDS SLC47A1 IGFBP7 "
        "IGF2 FN1 BGN MGP", 14),
}  # fmt: skip

# Genes that follow handling and blood rather than the layers.
MITOCHONDRIAL = ("MT-CO1 MT-CO2 MT-CO3 MT-ND1 MT-ND2 MT-ND3 MT-ND4 MT-ND5 MT-CYB "
    "MT-ATP6 MT-ATP8")  # fmt: skip
BLOOD = "HBA1 HBA2 HBB"
STRESS = "FOS JUN JUNB EGR1 HSPA1A HSPA1B HSP90AA1 DNAJB1 NR4A1 DUSP1"

# Families as "prefix: suffixes", a dash for every number of a range.
_HOUSEKEEPING = """
RPL: 3 4 5 6 7 7A 8 9 10 10A 11 12 13 13A 14 15 17 18 18A 19 21 22 23 23A 24 26 27 27A
28 29 30 31 32 34 35 35A 36 37 37A 38 39 41
RPS: 2 3 3A 4X 5 6 7 8 9 10 11 12 13 14 15 15A 16 17 18 19 20 21 23 24 25 26 27 27A 28
29
: ACTB ACTG1 GAPDH B2M EEF1A1 EEF2 TUBA1A TUBA1B TUBB PPIA PGK1 LDHA LDHB ALDOA ENO1
TPI1 PKM FTL FTH1 UBB UBC UBA52 FAU TPT1 NACA HNRNPA1 HNRNPK YWHAZ YWHAE CALM1 CALM2
CALM3 CFL1 PFN1 PFN2 TMSB4X GNAS CKB COX4I1 MDH1 MDH2 GOT1 GOT2 HSPA8 HSPA5 HSP90AB1
"""
_BACKGROUND = """
NDUFA: 1-13
NDUFB: 1-11
NDUFS: 1-8
COX: 5A 5B 6A1 6B1 6C 7A2 7B 7C 8A
ATP5: F1A F1B F1C F1D F1E MC1 MC2 MC3 PB PD PF PO ME MF MG
UQCR: B C1 C2 FS1 H Q
PSMA: 1-7
PSMB: 1-10
PSMC: 1-6
PSMD: 1-14
CCT: 2 3 4 5 7 8
TCP: 1
EIF: 1 1AX 1AY 1B 2A 2AK1 2AK2 2AK3 2AK4 2B1 2B2 2B3 2B4 2B5 2S1 2S2 2S3 3A 3B 3C 3D 3E
3F 3G 3H 3I 3J 3K 3L 3M 4A1 4A2 4A3 4B 4E 4E2 4E3 4EBP1 4EBP2 4G1 4G2 4G3 4H 5 5A 5A2 5B
6
SF: 3A1 3A2 3A3 3B1 3B2 3B3 3B4 3B5 3B6
SRSF: 1-12
HNRNP: A0 A2B1 A3 AB C D DL F H1 H2 H3 L LL M R U UL1 UL2
DDX: 1 3X 5 6 10 17 18 19A 19B 20 21 23 24 27 28 31 39A 39B 41 42 46 47 49 50 51 52 54
55 56 59
KIF: 1A 1B 1C 2A 2C 3A 3B 3C 4A 5A 5B 5C 6 7 9 11 13A 13B 15 16B 17 18A 20A 20B 21A 21B
22 23 24 26A 26B 27
MYO: 1A 1B 1C 1D 1E 1F 1G 3A 3B 5A 5C 6 7A 7B 9A 9B 10 15A 16 18A 18B 19
RAB: 1A 1B 2A 2B 3A 3C 3D 4A 4B 5A 5B 5C 6A 6B 7A 8A 8B 9A 9B 10 11A 11B 12 13 14 15 17
18 20 21 22A 23 24 25 26 27A 27B 28 29 30 31 32 33A 33B 34 35 36 37 38 39A 39B 40A 40B
40C
ARHGAP: 1 4 5 6 8 9 10 11A 12 15 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 33 35
36 39 40 42 44 45
ARHGEF: 1 2 3 4 5 6 7 9 10 10L 11 12 15 16 17 18 19 25 26 28 33 37 38 39 40
SLC25A: 1 3 4 5 6 10-40 42 44 45 46 48 51 53
SLC39A: 1-14
SLC30A: 1-10
SLC35: A1 A2 A3 A4 A5 B1 B2 B3 B4 C1 C2 D1 D2 D3 E1 E3 E4 F1 F2 F3 F5 F6
SLC38A: 1 2 3 5 6 7 9 10 11
SLC12A: 1-9
SLC4A: 1 2 3 7 8 10 11
SLC7A: 1 2 3 5 6 7 8 10 11 14
SLC9A: 1 2 3 5 6 7 8 9
KCNA: 1-7
KCNB: 1 2
KCNC: 1 3 4
KCND: 1-3
KCNH: 1-8
KCNJ: 2-6 9-16
KCNK: 1 3 4 5 6 9 10 12 13 15
KCNQ: 1-5
KCNMB: 1-4
KCNN: 1-4
CACNA1: A B C D E F G H I S
CACNA2D: 1-4
CACNB: 1-4
CACNG: 1-8
SCN: 1A 2A 2B 3A 3B 8A 9A
GRIA: 1-4
GRIN: 1 2A 2B 2C 2D
GRIK: 1 2 5
GRM: 1-8
GABRA: 1-6
GABRB: 1-3
GABRG: 1-3
CHRNA: 2-7
CHRNB: 1-4
CHRM: 1-5
ADRA: 1B 1D 2A 2B 2C
HTR: 1A 1B 1D 1E 1F 2A 2B 4 5A 6 7
SYT: 2-5 7 9 11-17
STX: 1A 1B 2-8 10-12 16-19
VAMP: 2-5 7 8
SNAP: 23 29 47 91
CDH: 1-13 15 17 18 19 20 22 23 24
PCDH: 1 7 8 9 10 11X 12 17 18 19 20
EPHA: 1-8 10
EPHB: 1-4 6
EFNA: 1-5
EFNB: 1-3
SEMA: 3A 3B 3C 3D 3F 3G 4A 4B 4C 4D 4F 4G 5A 5B 6A 6B 6C 6D 7A
PLXN: A1 A2 A3 A4 B1 B2 B3 C1 D1
WNT: 1 2 2B 3 3A 4 5A 5B 6 7A 7B 8B 9A 9B 10A 10B 11 16
FZD: 1-10
FGF: 1 2 5 7 9 10 11 12 13 14 16 17 18 20 22
FGFR: 1 2 4
BMP: 1-7 8A 8B 10 15
TGFB: 1 2 3 1I1 I R1 R2 R3
SMAD: 1-7 9
NOTCH: 1 2 4
IL: 6ST 10RA 10RB 11RA 13RA1 17RA 17RB 17RD 1R1 1RAP 4R 6R
TNFRSF: 1A 1B 10A 10B 11A 12A 14 19 21 25
MAP: 1A 1S 4 6 7 9
MAPK: 1 3 4 6 7 8 9 10 11 12 13 14 15
MAP2K: 1-7
MAP3K: 1-15
PRKC: A D E G H I Q Z
PRKA: CA CB R1A R1B R2A R2B A1 A2 B1 B2 G1 G2
CAMK: 1 1D 1G 2B 2D 2G 4 K1 K2
PPP: 1CA 1CB 1CC 1R1A 1R1B 1R2 1R7 1R8 1R10 1R12A 2CA 2CB 2R1A 2R1B 2R2A 2R2B 2R2C 3CA
3CB 3R1 4C 5C 6C
PIK: 3CA 3CB 3CD 3R1 3R2 3R3 3R4
CDK: 1 2 4-10 12-20
CDC: 5L 6 7 14A 14B 16 20 23 25A 25B 25C 26 27 34 37 40 42 45 73 123
USP: 1-8 10-16 18-22 24-26 28-40 42-49 53 54
UBE2: A B C D1 D2 D3 D4 E1 E2 E3 F G1 G2 H I J1 J2 K L3 L6 M N O Q1 Q2 R2 S T V1 V2 W Z
FBXO: 2-11 15-17 21 22 24 25 27 28 30-34 38-46
TRIM: 2-5 8 9 11 13 14 16 17 21-28 32 33 35-39 41 44-47 52 54 55 56 58 59 62 63 65-69 71
TMEM: 9 14A 14C 17 18 19 25 26 30A 33 35A 37 38A 38B 39A 39B 40 41A 41B 42 43 45A 47
50A 50B 52 53 54 59 59L 60 62 63A 63B 63C 64 65 67 68 69 70 71 72 74 79 80 81 86A 87A
87B 88 91 92 94 97 98 100 101 102 104 106A 106B 106C 107 108 109 115 116 117 119 120A
120B 121 123 125 126A 126B 127 128 129 130 131 132A 132B 132C 132D 132E 134 135 138 139
140 141 143 144 145 147 150A 150B 150C 151A 151B 154 156 158 160 161A 161B 163 164 165
167A 167B 168 169 170A 170B 171 174 175 176A 176B 177 179 181 182 183A 184A 184B
184C 185A 185B 186 187 192 196 198 199 200A 200B
ZNF: 2 3 7 8 10 12 14 16 17 18 19 20 22 23 24 25 26 28 30 32 33A 33B 34 35 37A 41 43 44
45 48 66 69 70 71 74 75A 75D 76 77 79 80 81 83 84 85 90 91 92 93 100 101 106 107 112 114
117 121 124 131 132 133 134 135 136 138 140 141 142 143 146 148 154 155 157 160 165
169 174 175 177 180 181 182 184 189 195 197 200 202 205 207 208 211 212 213 214 215 217
219 221 222 223 224 225 226 227 229 230 232 233 234 235 236 239 248 250 251 253 254 256
257 260 263 264 266 267 268 273 274 275 276 277 280A 280B 280C 280D 281 282 283 284 286A
287 292 296 300 302 304 311 316 317 318 319 320 322 324 326 329 330 331 333 334 335 337
341 343 345 346 347 350 354A 358 362 365 366 367 382 383 384 385A 385B 391 394 395 396
397 398 404 407 408 410 414 415 416 417 418 419 420 423 425 426 428 429 430 431 432 433
436 438 439 440 441 442 443 444 445 446 449 451 454 460 461 462 467 468 469 470 471 473
474 479 480 483 484 485 486 488 490 491 492 493 496 497 500 501 503 506 507 510 511 512B
513 514 516 517 518A 518B 519 521 524 526 527 528 529 530 532 534 536 540 541 543 544
546 547 548 549 550 551 552 554 555 556 557 558 559 560 561 562 563 564 565 566 567 568
569 570 571 572 573 574 575 576 577 578 579 580 581 582 583 584 585A 585B 586 587 589
"""

_MOUSE_NAMES = {"FTL": "Ftl1", "HSPA8": "Hspa8", "ABCB1": "Abcb1a", "HBB": "Hbb-bs",
    "HBA1": "Hba-a1", "HBA2": "Hba-a2", "MT1G": "Mt1", "MT2A": "Mt2"}  # fmt: skip


@cache
def panel_symbols(
    n_genes: int, species: str
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the symbols of a panel and the programme that each belongs to.

    Parameters
    ----------
    n_genes
        Genes wanted. Markers come first, so that a small panel holds those.
    species
        ``"human"`` or ``"mouse"`` symbols.

    Returns
    -------
    symbols, programmes
        ``n_genes`` names each; the programme is the first one that names the gene,
        ``"mitochondrial"``, ``"blood"``, ``"stress"``, ``"housekeeping"`` or
        ``"background"``. Symbols that run out are filled with ``SIM0001`` and on.
    """
    programme_of: dict[str, str] = {}
    columns = [symbols.split() for _, symbols, _ in MARKERS.values()]
    # Round by round over the programmes: a short panel has some markers of each.
    for place in range(max(map(len, columns))):
        for programme, symbols in zip(MARKERS, columns, strict=True):
            if place < len(symbols):
                programme_of.setdefault(symbols[place], programme)
    others = {
        "mitochondrial": MITOCHONDRIAL.split(),
        "blood": BLOOD.split(),
        "stress": STRESS.split(),
        "housekeeping": _family_members(_HOUSEKEEPING),
        "background": _family_members(_BACKGROUND),
    }
    for programme, members in others.items():
        for symbol in members:
            programme_of.setdefault(symbol, programme)
    for number in range(1, n_genes - len(programme_of) + 1):
        programme_of[f"SIM{number:04d}"] = "background"
    chosen = list(programme_of.items())[:n_genes]
    return tuple(spell_symbol(s, species) for s, _ in chosen), tuple(
        p for _, p in chosen
    )


def spell_symbol(symbol: str, species: str) -> str:
    """Return a human symbol as it is spelt in a species."""
    if species != "mouse":
        return symbol
    if symbol.startswith("MT-"):
        return "mt-" + symbol[3:].capitalize()
    return _MOUSE_NAMES.get(symbol, symbol.capitalize())


def _family_members(text: str) -> list[str]:
    """Return the symbols of families written as ``prefix: suffix suffix 3-7``."""
    symbols, prefix = [], ""
    for word in text.split():
        low, dash, high = word.partition("-")
        if word.endswith(":"):
            prefix = word[:-1]
        elif dash and low.isdigit() and high.isdigit():
            symbols += [f"{prefix}{n}" for n in range(int(low), int(high) + 1)]
        else:
            symbols.append(prefix + word)
    return symbols
