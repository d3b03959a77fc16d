"""Make the signatures that ship with the package from annotated public sections.

    python scripts/build_signatures.py FOLDER

FOLDER holds the sections named below, as .h5ad with counts in X, coordinates in
obsm["spatial"] and the annotation in obs["ground_truth"]. What is written holds a mean
per name and gene, and no counts.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from pathlib import Path

import napari_semst

HOME = Path(napari_semst.__file__).parent / "transfer" / "data"
COLUMN = "ground_truth"


@dataclass(frozen=True)
class Source:
    """A signature that ships: its file, the section it is of, and whose that is."""

    name: str
    section: str
    attribution: str
    names: dict[str, str]


SOURCES = (
    Source(
        "cortex_human",
        "DLPFC_151673.h5ad",
        "Human dorsolateral prefrontal cortex, Visium, section 151673, with layers "
        "annotated by the authors: Maynard et al. 2021, Nature Neuroscience 24, "
        "425-436, doi:10.1038/s41593-020-00787-0",
        {f"Layer{number}": f"L{number}" for number in range(1, 7)},
    ),
    Source(
        "cortex_mouse",
        "STARmap_MVC_BY3_1k.h5ad",
        "Mouse visual cortex, STARmap, 1,020 genes, section BY3: Wang et al. 2018, "
        "Science 361, eaat5691, doi:10.1126/science.aat5691; layers as annotated in "
        "BenchmarkST (maiziezhoulab/BenchmarkST)",
        {},
    ),
)


def build(source: Source, folder: Path) -> Path:
    """Write one signature, and say how large it is."""
    made = napari_semst.make_signature(folder / source.section, COLUMN)
    told = {**made.provenance, "attribution": source.attribution}
    labels = tuple(source.names.get(label, label) for label in made.labels)
    signature = replace(made, labels=labels, provenance=told)
    path = HOME / f"{source.name}.npz"
    napari_semst.save_signature(signature, path, overwrite=True)
    size = path.stat().st_size
    print(f"{path.name}: {', '.join(labels)}; {len(made.genes)} genes, {size:,} bytes")
    return path


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    HOME.mkdir(exist_ok=True)
    for one in SOURCES:
        build(one, parser.parse_args().folder)
