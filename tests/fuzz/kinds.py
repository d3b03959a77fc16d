"""Kinds of input: how a valid one is written, and what is done with a damaged one."""

from __future__ import annotations

import json
import warnings
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from napari_semst.errors import SemstError
from tests.conftest import banded_tissue
from tests.fuzz import kept_work as kept
from tests.fuzz import pictures_and_texts as beside
from tests.fuzz.answers import SAID
from tests.io import folders, outline_files, outs, stores

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from anndata import AnnData

    from napari_semst.semantics import GeneLists
    from tests.fuzz.answers import Said


class WrongError(AssertionError):
    """What was read without an error can be no section."""


@dataclass(frozen=True)
class Kind:
    """A kind of input.

    Parameters
    ----------
    write
        Writes a valid one into a new folder.
    use
        Reads the one in a folder, as users do; of a section, returns it.
    said
        Returns what the files of a section say, read by other means.
    """

    write: Callable[[Path], object]
    use: Callable[[Path], object]
    said: Callable[[Path], Said] | None = None


def small_tissue() -> AnnData:
    """Return 60 cells x 20 genes."""
    return banded_tissue()[:60, :20].copy()


def use_section(folder: Path) -> AnnData:
    """Look at what a folder holds, read it and all that hangs on it, and judge it."""
    from napari_semst.io.alignment import image_placement, spot_size
    from napari_semst.io.outlines.sources import read_outlines
    from napari_semst.io.preview import preview
    from napari_semst.io.read import read
    from napari_semst.pipeline.inspection import inspect_input

    path = only(folder)
    with suppress(SemstError):
        preview(path).sentences()
    with suppress(SemstError):
        inspect_input(path)
    found = read(path)
    check_section(found)
    for step in (read_outlines, image_placement, spot_size):
        with suppress(SemstError):
            step(found)
    with suppress(SemstError):
        _save(found, folder)
    return found


def _save(found: AnnData, folder: Path) -> None:
    from napari_semst.io.export.h5ad import write
    from napari_semst.io.read import read

    read(write(found, folder / "saved.h5ad", overwrite=True))


def only(folder: Path) -> Path:
    """Return what a folder holds, where that is one thing, else the folder."""
    inside = list(folder.glob("matrix.h5")) or list(folder.iterdir())
    return inside[0] if len(inside) == 1 else folder


def check_section(found: AnnData) -> None:
    """Raise `WrongError` where a tissue cannot be one, and no error said so."""
    names = found.obs_names
    if not found.n_obs or not found.n_vars:
        raise WrongError(f"a section of shape {found.shape}")
    if not names.is_unique:
        raise WrongError("spots of the same name")
    if "spatial" not in found.obsm:
        return
    places = np.asarray(found.obsm["spatial"])
    if places.shape != (found.n_obs, 2) or places.dtype.kind not in "fiu":
        raise WrongError(f"places of shape {places.shape}, type {places.dtype}")
    if not np.isfinite(places).all():
        raise WrongError("places that are not finite")
    if (np.abs(places) > 1e12).any():
        raise WrongError("places beyond any tissue")


def _section(write: Callable[[Path, AnnData], object]) -> Kind:
    return Kind(lambda folder: write(folder, small_tissue()), use_section)


def _h5ad(folder: Path, tissue: AnnData) -> None:
    tissue.layers["raw_counts"] = tissue.X.copy()
    tissue.obs["domain"] = pd.Categorical(["a", "b"] * 30)
    image = np.zeros((40, 50, 3), np.uint8)
    factors = {"tissue_hires_scalef": 0.02, "spot_diameter_fullres": 55.0}
    tissue.uns["spatial"] = {
        "S1": {"images": {"hires": image}, "scalefactors": factors, "metadata": {}}
    }
    tissue.write_h5ad(folder / "section.h5ad")


def _spatialdata(zarr_format: int) -> Callable[[Path, AnnData], object]:
    def write(folder: Path, tissue: AnnData) -> None:
        path = folder / "section.zarr"
        stores.group(path, {"spatialdata_attrs": {"version": "0.2"}}, zarr_format)
        own = np.asarray(tissue.obsm["spatial"]) / 10 + (3, 4)
        stores.write_table(path, "table", tissue, "spots", zarr_format)
        shapes = [stores.square(*xy, 2.0) for xy in own]
        stores.write_shapes(path, "spots", shapes, zarr_format)
        stores.write_image(path, zarr_format)

    return write


def _visium(version: str, matrix: str) -> Callable[[Path, AnnData], object]:
    return lambda folder, tissue: outs.write_outs(
        folder / "outs", tissue, positions=version, matrix=matrix
    )


def _visium_hd(folder: Path, tissue: AnnData) -> None:
    for size in ("008", "016"):
        outs.write_outs(
            folder / f"outs/binned_outputs/square_{size}um",
            tissue,
            positions="parquet",
            images=("hires",),
        )


def _segmented(folder: Path, tissue: AnnData) -> None:
    outs.write_segmented(folder / "outs", tissue)


def _matrix(folder: Path, tissue: AnnData) -> None:
    outs.write_10x_h5(folder / "matrix.h5", tissue, antibody=True)
    table = outs.positions_table(tissue)
    outs.write_positions(folder, table, "v2")


def _xenium(cells: str) -> Callable[[Path, AnnData], object]:
    def write(folder: Path, tissue: AnnData) -> None:
        run = folders.write_xenium(folder / "run", tissue, cells=cells)
        outline_files.write_xenium_outlines(
            run, tissue, cells.replace("cells", "cell_boundaries")
        )

    return write


def _merscope(folder: Path, tissue: AnnData) -> None:
    run = folders.write_merscope(folder / "run", tissue)
    outline_files.write_merscope_table(run, tissue)


def _cosmx(places: str) -> Callable[[Path, AnnData], object]:
    def write(folder: Path, tissue: AnnData) -> None:
        run = folders.write_cosmx(
            folder / "run", tissue, packed=places == "global", places=places
        )
        outline_files.write_cosmx_outlines(run, tissue, places=places)

    return write


def _gef(folder: Path, tissue: AnnData) -> None:
    from tests.io.readers.test_gef_gem import write_gef

    write_gef(folder / "chip.gef", _molecules())


def _cellbin(folder: Path, tissue: AnnData) -> None:
    from tests.io.readers.test_gef_gem import write_cells

    write_cells(folder / "chip.cellbin.gef")


def _gem(folder: Path, tissue: AnnData) -> None:
    from tests.io.readers.test_gef_gem import write_gem

    write_gem(folder / "chip.gem", _molecules())


def _molecules() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    columns = {"geneID": rng.choice(["ACTB", "MBP", "SNAP25"], 500)}
    columns |= {axis: rng.integers(0, 300, 500) for axis in "xy"}
    table = pd.DataFrame(columns | {"MIDCount": rng.integers(1, 4, 500)})
    return table.sort_values("geneID", kind="stable")


def _plain(folder: Path, tissue: AnnData) -> None:
    from tests.io.readers.test_tables import places_table

    folders.save(places_table(tissue), folder / "places.csv")
    folders.save(folders.table_of(tissue), folder / "counts.csv")


def _beads(name: str) -> Callable[[Path, AnnData], object]:
    def write(folder: Path, tissue: AnnData) -> None:
        from tests.io.readers import test_beads_and_cells as beads

        getattr(beads, name)(folder / "run", tissue)

    return write


def _zarr(folder: Path, tissue: AnnData) -> None:
    with warnings.catch_warnings():
        # The second format is announced to be no longer the default.
        warnings.simplefilter("ignore")
        tissue.write_zarr(folder / "section.zarr")


def _settings(folder: Path) -> None:
    from tests.small import short

    text = short("default", semantics={"source": "none"}).to_toml()
    (folder / "settings.toml").write_text(text)
    stages = {"training": {"epochs": 5, "lr": 1e-3}, "model": {}, "data": {}}
    (folder / "settings.json").write_text(json.dumps(stages))


def _use_settings(folder: Path) -> None:
    from napari_semst.config import Request
    from napari_semst.methods.resolve import resolve

    for name in ("settings.toml", "settings.json"):
        with suppress(SemstError):
            resolve(Request.from_file(folder / name))


def _model(folder: Path) -> None:
    from napari_semst.pipeline.model import save_model
    from tests.small import found, short

    made = found(small_tissue(), short("quick"))
    save_model(made.model, folder / "model.safetensors")


def _use_model(folder: Path) -> None:
    from napari_semst.pipeline.apply_model import apply_model
    from napari_semst.pipeline.model import load_model

    model = load_model(folder / "model.safetensors")
    apply_model(model, small_tissue(), device="cpu")


def _cache(folder: Path) -> None:
    from napari_semst.cache.shards import NAME, write_shard

    names = np.frombuffer(bytes(range(160)), NAME)
    write_shard(folder, names, np.ones((10, 4), np.float32))
    (folder / "about.json").write_text('{"model": "m", "path": "/m", "identity": "i"}')


def _use_cache(folder: Path) -> None:
    import os

    from napari_semst.cache.shards import NAME
    from napari_semst.cache.vectors import VectorCache, cache_entries, clear_vectors

    os.environ["SEMST_CACHE"] = str(folder)
    cache = VectorCache({"identity": "i"})
    cache.folder.parent.mkdir()
    held = [path for path in folder.iterdir() if path.is_file()]
    cache.folder.mkdir()
    for path in held:
        path.rename(cache.folder / path.name)
    names = np.frombuffer(bytes(range(160)), NAME)
    for rows, vectors in cache.read(names):
        if len(rows) != len(vectors) or not (vectors == 1).all():
            raise WrongError("vectors that were not written")
    list(cache_entries())
    with suppress(SemstError):
        clear_vectors("m")


def _embeddings(folder: Path) -> None:
    from napari_semst.embedding.files import write_embedding

    rng = np.random.default_rng(0)
    values = rng.normal(size=(60, 4)).astype(np.float32)
    names = list(small_tissue().obs_names)
    for end in (".npy", ".npz", ".safetensors"):
        place = folder / f"vectors{end}"
        write_embedding(values, place, {"model": "m"}, names, overwrite=False)
    pd.DataFrame(values, names).to_csv(folder / "vectors.csv", index_label="barcode")


def _lists() -> GeneLists:
    from napari_semst.semantics import GeneLists

    tissue = small_tissue()
    first = np.arange(tissue.n_obs, dtype=np.int32)[:, None] % tissue.n_vars
    return GeneLists(tissue.var_names.to_numpy(dtype=str), first)


def _use_embeddings(folder: Path) -> None:
    from napari_semst.semantics.precomputed.source import Precomputed

    tissue = small_tissue()
    for path in sorted(folder.iterdir()):
        with suppress(SemstError):
            source = Precomputed(path, spots=list(tissue.obs_names))
            made = source.embed_spots(_lists()).embedding
            if len(made) != tissue.n_obs or not np.isfinite(made).all():
                raise WrongError(f"an embedding of shape {made.shape}, or not finite")


def _gene_tables(folder: Path) -> None:
    symbols = np.array([f"GENE{i}" for i in range(20)])
    values = np.random.default_rng(0).normal(size=(20, 4))
    np.savez(folder / "genes.npz", symbols=symbols, vectors=values)
    np.savez(folder / "bytes.npz", symbols=symbols.astype("S"), vectors=values)
    pd.DataFrame(values, symbols).to_csv(folder / "genes.csv", index_label="symbol")


def _use_gene_tables(folder: Path) -> None:
    from napari_semst.semantics.gene_table.user_table import UserTable

    for path in sorted(folder.iterdir()):
        with suppress(SemstError):
            made = UserTable(path).embed_spots(_lists()).embedding
            if not np.isfinite(made).all():
                raise WrongError("vectors that are not finite")


def _signature(folder: Path) -> None:
    from napari_semst.transfer.signature_file import save_signature
    from tests.transfer.sections import small_signature

    save_signature(small_signature(), folder / "signature.npz")


def _use_signature(folder: Path) -> None:
    from napari_semst.transfer.signature_file import load_signature
    from tests.transfer.sections import small_signature

    found, made = load_signature(folder / "signature.npz"), small_signature()
    if found.labels != made.labels or not np.allclose(found.scores, made.scores):
        raise WrongError("a signature that was not written")


def _labels(folder: Path) -> None:
    from napari_semst.io.geojson.write import write_geojson

    tissue = small_tissue()
    tissue.obs["label"] = pd.Categorical(["a", "b"] * 30)
    for shapes in ("regions", "spots"):
        place = folder / f"{shapes}.geojson"
        write_geojson(tissue, place, column="label", shapes=shapes)
    table = tissue.obs[["label"]].rename_axis("barcode")
    table.to_csv(folder / "labels.csv")


def _use_labels(folder: Path) -> None:
    from napari_semst.io.geojson.label import add_regions
    from napari_semst.io.import_labels import add_labels

    tissue = small_tissue()
    for name in ("regions", "spots"):
        with suppress(SemstError):
            add_regions(tissue, folder / f"{name}.geojson", name)
    with suppress(SemstError):
        add_labels(tissue, folder / "labels.csv", "labels")


_SECTIONS: dict[str, Kind] = {
    "h5ad": _section(_h5ad),
    "zarr": _section(_zarr),
    "spatialdata-2": _section(_spatialdata(2)),
    "spatialdata-3": _section(_spatialdata(3)),
    "visium": _section(_visium("v2", "h5")),
    "visium-mtx": _section(_visium("v1", "mtx")),
    "visium-old": _section(_visium("parquet", "h5-v2")),
    "visium-hd": _section(_visium_hd),
    "visium-cells": _section(_segmented),
    "10x": _section(_matrix),
    "xenium": _section(_xenium("cells.parquet")),
    "xenium-csv": _section(_xenium("cells.csv.gz")),
    "merscope": _section(_merscope),
    "cosmx": _section(_cosmx("global")),
    "cosmx-fields": _section(_cosmx("local")),
    "gef": _section(_gef),
    "cellbin": _section(_cellbin),
    "gem": _section(_gem),
    "plain": _section(_plain),
    "slideseq": _section(_beads("write_curio")),
    "seqfish": _section(_beads("write_seqfish")),
    "portal": _section(_beads("write_portal")),
}

KINDS: dict[str, Kind] = {
    **{name: replace(kind, said=SAID.get(name)) for name, kind in _SECTIONS.items()},
    "settings": Kind(_settings, _use_settings),
    "model": Kind(_model, _use_model),
    "cache": Kind(_cache, _use_cache),
    "embeddings": Kind(_embeddings, _use_embeddings),
    "gene-tables": Kind(_gene_tables, _use_gene_tables),
    "labels": Kind(_labels, _use_labels),
    "pictures": Kind(beside.write_pictures, beside.use_pictures),
    "prompts": Kind(beside.write_prompts_folder, beside.use_prompts_folder),
    "texts": Kind(beside.write_texts, beside.use_texts),
    "result": Kind(beside.write_cohort, beside.use_cohort),
    "checkpoint": Kind(kept.write_checkpoint, kept.use_checkpoint),
    "unsaved-work": Kind(kept.write_unsaved_work, kept.use_unsaved_work),
    "signatures": Kind(kept.write_signatures, kept.use_signatures),
    "markers": Kind(kept.write_markers, kept.use_markers),
    "signature": Kind(_signature, _use_signature),
}
