"""Kinds of input beside sections: pictures, prompts, texts and tables of genes."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from napari_semst.errors import SemstError

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData


def write_pictures(folder: Path) -> None:
    """Write one picture in every format that slides and sections have."""
    import tifffile
    from PIL import Image

    from tests.io.folders import gradient, write_pyramid
    from tests.io.stores import write_image

    colours = np.random.default_rng(0).integers(0, 255, (60, 80, 3), np.uint8)
    for end in ("png", "jpg"):
        Image.fromarray(colours).save(folder / f"plain.{end}")
    write_pyramid(folder / "pyramid.ome.tif", gradient(130, 150))
    tifffile.imwrite(folder / "strips.tif", colours, compression="zlib")
    tifffile.imwrite(folder / "tiles.tiff", colours, tile=(32, 32))
    write_image(folder / "store.zarr", 3)


def use_pictures(folder: Path) -> None:
    """Read every picture as a run, a section and a preview do."""
    from napari_semst.io.formats.tiff import read_section_image, tiff_size
    from napari_semst.io.images import read_image
    from napari_semst.morphology.slide_files import open_image_levels

    places = [*folder.glob("*.*"), *(folder / "store.zarr/images").glob("*")]
    for path in sorted(places):
        with suppress(SemstError):
            for level in open_image_levels(path).levels:
                part = level[:64, :64]
                _check_picture(part.compute() if hasattr(part, "compute") else part)
        if path.is_dir():
            continue
        if ".tif" in path.name:
            with suppress(SemstError):
                tiff_size(path)
            image, doubts = read_section_image(path, 1.0)
            assert image is not None or doubts
        with suppress(SemstError):
            _check_picture(read_image(path))


def _check_picture(pixels: object) -> None:
    shape = np.shape(pixels)
    assert len(shape) == 2 or (len(shape) == 3 and shape[2] in (3, 4)), shape


def write_prompts_folder(folder: Path) -> None:
    """Write prompts, and the vectors that an engine makes of them."""
    from napari_semst.config import Request
    from napari_semst.core.progress import run_to_end
    from napari_semst.embedding.prompts import write_prompts
    from tests.conftest import banded_tissue

    request = Request("default", {"semantics": {"source": "prompts"}})
    tissue: AnnData = banded_tissue()[:60, :20].copy()
    run_to_end(write_prompts(tissue, request, folder / "prompts", "chatml", block=20))
    for place in sorted((folder / "prompts").rglob("*.parquet")):
        table = pd.read_parquet(place)
        if "key" not in table:
            continue
        made = np.random.default_rng(0).normal(size=(len(table), 4)).astype(np.float32)
        vectors = pd.DataFrame({"key": table["key"], "embedding": list(made)})
        (folder / "prompts/vectors").mkdir(exist_ok=True)
        vectors.to_parquet(folder / "prompts/vectors" / place.name)


def use_prompts_folder(folder: Path) -> None:
    """Join the vectors to the spots."""
    from napari_semst.embedding.import_vectors import join_vectors

    joined = join_vectors(folder / "prompts")
    assert np.isfinite(np.asarray(joined[0], np.float32)).all()


def write_texts(folder: Path) -> None:
    """Write summaries of genes."""
    genes = [f"GENE{i}" for i in range(20)]
    table = pd.DataFrame({"symbol": genes, "summary": "binds, and folds"})
    table.to_csv(folder / "summaries.csv", index=False)
    table.to_csv(folder / "summaries.tsv", index=False, sep="\t")


def use_texts(folder: Path) -> None:
    """Read them."""
    from napari_semst.semantics.language_model.gene_texts import read_summaries

    for path in sorted(folder.iterdir()):
        with suppress(SemstError):
            read = read_summaries(str(path))
            assert all(isinstance(text, str) and text for text in read.values())


def write_cohort(folder: Path) -> None:
    """Write a section with a finished run."""
    from napari_semst.io.export.h5ad import write
    from napari_semst.pipeline.run import attach
    from tests.conftest import banded_tissue
    from tests.small import found, short

    tissue: AnnData = banded_tissue()[:60, :20].copy()
    made = attach(tissue, found(tissue, short("quick")), inplace=False)
    write(made, folder / "result.h5ad")


def use_cohort(folder: Path) -> None:
    """Read, draw and report the run, as `semst figure` and `semst report` do."""
    from napari_semst.cohort.fingerprint import recorded_run
    from napari_semst.figure import domain_figure
    from napari_semst.io.read import read
    from napari_semst.report import write_report

    path = folder / "result.h5ad"
    with suppress(SemstError):
        recorded_run(path, "default")
    tissue = read(path)
    with suppress(SemstError):
        domain_figure(tissue, folder / "figure.png")
    write_report(tissue, folder / "report.html", source=path)
