"""What is known of the files of a comparison before any method sees them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst.core.progress import Progress, RunControl, run_to_end
from napari_semst.errors import InputError
from napari_semst.pipeline.files_read import files_inside, named_files
from napari_semst.pipeline.input_files import hash_files, source_files

if TYPE_CHECKING:
    from collections.abc import Generator

    from anndata import AnnData
    from numpy.typing import NDArray

    from napari_semst.bench.plan import BenchFile, BenchPlan
    from napari_semst.config import Config
    from napari_semst.config.settings import Overrides


@dataclass(frozen=True)
class FileFacts:
    """What a comparison knows of a file.

    Parameters
    ----------
    name, source, sha256
        What it is called, its absolute path, and its content.
    n_spots, n_counts
        Spots, and counts that are not zero.
    n_classes, n_labelled
        Domains of the annotation, and spots that have one.
    image
        Whether it has an image, or features of one are named.
    places, codes
        For pictures: where the spots are, ``(n_spots, 2)``, and the annotation of each
        as a number, -1 without.
    classes
        Names of the annotated domains, in the order of the numbers.
    """

    name: str
    source: str
    sha256: str
    n_spots: int
    n_counts: int
    n_classes: int
    n_labelled: int
    image: bool
    places: NDArray[np.float64] = field(repr=False)
    codes: NDArray[np.int32] = field(repr=False)
    classes: tuple[str, ...] = ()


def read_facts(
    plan: BenchPlan, control: RunControl
) -> Generator[Progress, None, dict[str, FileFacts]]:
    """Read every file once; return what is known of each, by its path in the plan.

    Raises
    ------
    InputError
        If a file cannot be read, lacks its annotation or has the name of another.
    """
    from napari_semst.io.concat_sections import stem

    found: dict[str, FileFacts] = {}
    for number, file in enumerate(plan.files):
        control.check()
        path = Path(file.path).expanduser().absolute()
        name = file.name or stem(path)
        yield Progress("read", number, len(plan.files), name)
        if not path.exists():
            raise InputError(
                f"Expected a section at {file.path}; there is none. Check the path."
            )
        if any(name == other.name for other in found.values()):
            raise InputError(
                f"Expected files with names of their own; two are called {name!r}. "
                "Name each file once, or give them names in a plan."
            )
        sha256, _ = yield from hash_files(path, source_files(path), control)
        settings = plan.settings_of(file)
        found[file.path] = _facts(file, path, name, sha256, settings)
    return found


def read_section(path: str | Path, config: Config) -> AnnData:
    """Return the tissue of a file as settings have it read."""
    from napari_semst.io.read import read

    wanted = config.prepare
    return read(
        path,
        positions=wanted.positions or None,
        part=wanted.part or None,
        features=wanted.features,
    )


def _facts(
    file: BenchFile, path: Path, name: str, sha256: str, settings: Overrides
) -> FileFacts:
    from scipy import sparse

    from napari_semst.config import Request
    from napari_semst.io.coordinates import find_coordinates
    from napari_semst.methods.resolve import resolve

    # Of the settings of methods nothing is known yet, nor needed.
    reading = {n: settings[n] for n in ("prepare", "morphology") if n in settings}
    config = resolve(Request("auto", reading))
    tissue = read_section(path, config)
    labels = annotation_of(tissue, file.labels, name)
    known = labels.notna().to_numpy()
    classes, numbers = np.unique(
        labels[known].astype(str).to_numpy(dtype=str), return_inverse=True
    )
    codes = np.full(tissue.n_obs, -1, np.int32)
    codes[known] = numbers
    counts = tissue.X
    stored = counts.nnz if sparse.issparse(counts) else np.count_nonzero(counts)
    return FileFacts(
        name,
        str(path),
        sha256,
        tissue.n_obs,
        int(stored),
        len(classes),
        int(known.sum()),
        bool(config.morphology.image) or _has_image(tissue),
        np.asarray(find_coordinates(tissue, config.prepare.coordinates or None)),
        codes,
        tuple(map(str, classes)),
    )


def annotation_of(tissue: AnnData, column: str, name: str) -> Any:
    """Return the annotation of a section.

    Raises
    ------
    InputError
        If there is no such column, or it tells fewer than two domains.
    """
    if column not in tissue.obs:
        raise InputError(
            f"Expected an annotation in obs[{column!r}] of {name}; found obs columns "
            f"{', '.join(tissue.obs) or 'none'}. Name the column of this file."
        )
    labels = tissue.obs[column]
    classes = labels[labels.notna()].astype(str).nunique()
    if classes < 2:
        raise InputError(
            f"Expected at least two annotated domains in obs[{column!r}] of {name}; "
            f"found {classes}. Choose another column."
        )
    return labels


def _has_image(tissue: AnnData) -> bool:
    libraries = tissue.uns.get("spatial")
    if not hasattr(libraries, "values"):
        return False
    return any(
        hasattr(one, "get") and len(one.get("images") or {})
        for one in libraries.values()
    )


class NamedDigests:
    """SHA-256 of the files that settings name, each read once."""

    def __init__(self) -> None:
        self._known: dict[Path, str] = {}

    @property
    def files(self) -> list[Path]:
        """All files that were read."""
        return [file for place in self._known for file in files_inside(place)]

    def of(self, config: Config, source: str) -> str:
        """Return one digest of all files that settings name; empty for none.

        Parameters
        ----------
        source
            The section, beside which the file of positions may be.
        """
        named = _named(config, Path(source))
        told = [f"{setting} {self._digest(path)}" for setting, path in named]
        return hashlib.sha256("\n".join(told).encode()).hexdigest() if told else ""

    def _digest(self, place: Path) -> str:
        if place not in self._known:
            files = files_inside(place)
            digest, _ = run_to_end(hash_files(place, files, RunControl()))
            self._known[place] = digest
        return self._known[place]


def _named(config: Config, source: Path) -> list[tuple[str, Path]]:
    """Return settings and the files, or folders of models, that they name."""
    named = list(named_files(config))
    model = config.semantics.model
    if model and (place := Path(model).expanduser()).exists():
        named.append(("semantics.model", place))
    if config.prepare.positions:
        # Of an .h5ad these are keys, which no file has the name of.
        given = Path(config.prepare.positions).expanduser()
        folder = source if source.is_dir() else source.parent
        found = (place for place in (given, folder / given) if place.is_file())
        named += [("prepare.positions", place) for place in found][:1]
    return named
