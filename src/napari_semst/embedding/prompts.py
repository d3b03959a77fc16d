"""Prompts for an engine elsewhere, and its vectors back: a folder of Parquet files.

``texts-*.parquet`` hold every distinct text once, with a key; ``spots.safetensors``
says which text each spot has. The engine writes ``key`` and ``embedding`` into Parquet
files below ``vectors``, in any order and any number of files.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from napari_semst.core.progress import Progress, RunControl
from napari_semst.errors import ConfigError, InputError, SaveError, one_of

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

    from anndata import AnnData
    from numpy.typing import NDArray

    from napari_semst.config import Request, SemanticsConfig
    from napari_semst.semantics.language_model.prompts import Passage

SPOTS_FILE = "spots.safetensors"
KIND = "napari-semst prompts 1"
CHATS = ("chatml", "plain")
_KEY_LETTERS = 32


class WrittenPrompts(NamedTuple):
    """What was written: numbers of spots, texts and files."""

    n_spots: int
    n_texts: int
    n_files: int


class PromptSpots(NamedTuple):
    """The text of each spot (-1: none), names, the record, genes listed first."""

    place: NDArray[np.int64]
    names: list[str]
    about: dict[str, Any]
    listed: NDArray[np.uint32] | None


def write_prompts(
    tissue: AnnData,
    request: Request,
    folder: Path,
    chat: str = "auto",
    block: int = 500_000,
    control: RunControl | None = None,
) -> Generator[Progress, None, WrittenPrompts]:
    """Write every text that the source ``prompts`` would read, once.

    Parameters
    ----------
    tissue
        Raw counts, with coordinates in ``obsm``; it is not changed.
    request
        Preset and settings, with the source ``prompts``.
    folder
        Where files are put; made where it is missing.
    chat
        ``chatml`` or ``plain``: how the model is given a conversation. ``auto`` asks
        the tokenizer of a model in a folder.
    block
        Texts of one file.

    Yields
    ------
    progress
        Events of the stages prepare and describe.
    """
    from napari_semst.genes.gene_names import guess_species
    from napari_semst.methods.resolve import resolve
    from napari_semst.pipeline.run import prepared
    from napari_semst.pipeline.spot_semantics import list_genes, ranked_values
    from napari_semst.semantics.language_model.prompts import distinct_lists, template
    from napari_semst.semantics.precomputed.compatibility import first_genes

    control = control or RunControl()
    request = request.with_settings("domains", n_domains=-1)
    wanted = resolve(request).semantics
    if wanted.source != "prompts" or wanted.control != "none":
        raise ConfigError(
            "Expected the source 'prompts' without a control for prompts to be "
            f"written; got {wanted.source!r} and {wanted.control!r}."
        )
    chat = _chat(wanted) if chat == "auto" else chat
    if chat not in CHATS:
        raise ConfigError(one_of("--chat", chat, CHATS))
    _check_empty(folder)
    config, section, _ = yield from prepared(tissue, request, control)
    ranked = ranked_values(section, wanted.ranking)
    lists = yield from list_genes(ranked, section.genes, config, control)
    species = guess_species(lists.genes) if wanted.species == "auto" else wanted.species
    words = template(wanted.template, species, wanted.tissue)
    rows, place = distinct_lists(lists)
    names = [str(name) for name in lists.genes]
    folder.mkdir(parents=True, exist_ok=True)
    starts = range(0, len(rows), block)
    for number, start in enumerate(starts):
        control.check()
        yield Progress("describe", start, len(rows), "Writing prompts")
        passages = [
            words.passage(tuple(names[gene] for gene in row if gene >= 0))
            for row in rows[start : start + block].tolist()
        ]
        texts = [prompt_text(passage, chat) for passage in passages]
        _write_texts(folder / f"texts-{number:05d}.parquet", texts)
    about = {
        "source": "prompts",
        "template": wanted.template,
        "prompt": {"system": words.system, "user": words.user},
        "chat": chat,
        "species": species,
        "lists": {
            name: getattr(wanted, name)
            for name in ("n_genes", "ranking", "leave_out_uninformative")
        },
    }
    spots = PromptSpots(place, tissue.obs_names.to_list(), about, first_genes(lists))
    _write_spots(folder / SPOTS_FILE, spots)
    return WrittenPrompts(len(place), len(rows), len(starts))


def prompt_text(passage: Passage, chat: str) -> str:
    """Return a passage as the one text that a model's tokenizer is given."""
    from napari_semst.semantics.language_model.prompts import GENE_SEPARATOR
    from napari_semst.semantics.language_model.tokens import text_around_genes

    before, after = text_around_genes(passage, chat)
    return f"{before}{GENE_SEPARATOR.join(passage.names)}{after}"


def text_key(text: str) -> str:
    """Return 32 letters that name a text among all others."""
    return hashlib.sha256(text.encode()).hexdigest()[:_KEY_LETTERS]


def _chat(wanted: SemanticsConfig) -> str:
    """Return how the model of the settings is given a conversation."""
    from pathlib import Path

    from napari_semst.models.hub import DEFAULT_MODEL

    model = wanted.model or DEFAULT_MODEL
    if Path(model).expanduser().is_dir():
        from napari_semst.models.load import load_tokenizer
        from napari_semst.semantics.language_model.tokens import PromptTokenizer

        return PromptTokenizer(
            load_tokenizer(Path(model).expanduser(), model), model
        ).chat
    if model.startswith("Qwen/"):
        return "chatml"
    raise ConfigError(
        f"Expected to know how {model} is given a conversation; it is not in a folder "
        "here. Add --chat chatml, or --chat plain for encoders as BERT."
    )


def _check_empty(folder: Path) -> None:
    if (folder / SPOTS_FILE).exists() or any(folder.glob("texts-*.parquet")):
        raise SaveError(
            f"Expected a folder without prompts; {folder} holds some. Choose another, "
            "or remove it."
        )


def _write_texts(file: Path, texts: list[str]) -> None:
    import pyarrow
    from pyarrow import parquet

    from napari_semst.io.export.atomic import write_atomically

    table = pyarrow.table({"key": [text_key(text) for text in texts], "text": texts})

    def check(written: Path) -> None:
        if parquet.read_metadata(written).num_rows != len(texts):
            raise SaveError(f"Expected {file.name} to read back the same.")

    write_atomically(
        file,
        lambda place: parquet.write_table(table, place),
        check,
        overwrite=False,
        suffix=".parquet",
    )


def _write_spots(file: Path, spots: PromptSpots) -> None:
    from safetensors.numpy import save_file

    from napari_semst.io.export.atomic import write_atomically
    from napari_semst.semantics.precomputed.file import LISTED, names_as_bytes

    held: dict[str, NDArray[Any]] = {
        "place": spots.place.astype(np.int64),
        "names": names_as_bytes(spots.names),
    }
    if spots.listed is not None:
        held[LISTED] = spots.listed
    told = {"kind": KIND, "provenance": json.dumps(spots.about, sort_keys=True)}
    write_atomically(
        file,
        lambda where: save_file(held, where, told),
        lambda where: _same(read_spots(where).place, spots.place, file),
        overwrite=False,
        suffix=".safetensors",
    )


def _same(written: NDArray[np.int64], place: NDArray[np.int64], file: Path) -> None:
    if not np.array_equal(written, place):
        raise SaveError(f"Expected {file.name} to read back the same.")


def read_spots(file: Path) -> PromptSpots:
    """Return the spots of a folder of prompts, or raise `InputError`."""
    from safetensors import SafetensorError, safe_open

    from napari_semst.errors import SemanticsError
    from napari_semst.semantics.precomputed.file import (
        LISTED,
        names_from_bytes,
        parse_first_genes,
        parse_record,
    )

    try:
        with safe_open(file, framework="np") as held:
            about = held.metadata() or {}
            if about.get("kind") != KIND:
                raise ValueError("it is another kind of file")
            place = held.get_tensor("place")
            names = names_from_bytes(held.get_tensor("names"), len(place))
            genes = held.get_tensor(LISTED) if LISTED in list(held.keys()) else None
            listed = parse_first_genes(genes, len(place))
            return PromptSpots(place, names, parse_record(about["provenance"]), listed)
    except (
        *(OSError, ValueError, KeyError, TypeError),
        *(SafetensorError, SemanticsError),
    ) as error:
        raise InputError(
            f"Expected {file} as `semst prompts write` writes it; could not read it: "
            f"{error}. Where it is missing, writing broke off: write all again."
        ) from error


def visible_files(folder: Path, pattern: str) -> Iterator[Path]:
    """Yield files in a fixed order, but none that are hidden."""
    for file in sorted(folder.glob(pattern)):
        if not any(part.startswith(".") for part in file.relative_to(folder).parts):
            yield file
