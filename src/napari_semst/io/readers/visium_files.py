"""Which files of a folder are one run of Space Ranger, and what is missing of one."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from napari_semst.errors import InputError
from napari_semst.io.checks import abbreviate
from napari_semst.io.formats import tenx
from napari_semst.io.formats.sample_files import (
    archives_in,
    are_different,
    choose_sample,
    files_of_samples,
    has_no_parts,
    holds_several,
    of_sample,
    sample_in,
)
from napari_semst.io.formats.tissue_positions import positions_in
from napari_semst.io.images import IMAGE_ENDINGS, RESOLUTIONS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_semst.io.options import ReadOptions

# The filtered matrix holds the spots in tissue; the raw one holds them too.
_MATRICES = ("filtered_feature_bc_matrix", "raw_feature_bc_matrix")
_FACTORS = "scalefactors_json"
# The folder of one bin size of Visium HD.
_BINS = re.compile(r"/square_0*(\d+)um(?:/|$)")


@dataclass(frozen=True, slots=True)
class VisiumFiles:
    """The files of one run that are read.

    Parameters
    ----------
    folder
        Of the run.
    matrix
        A file of HDF5, a Matrix Market file, or the folder of one.
    positions
        The positions file.
    sample
        What the names of the files begin with; empty where they have no prefix.
    """

    folder: Path
    matrix: Path
    positions: Path
    sample: str = ""


@dataclass(frozen=True, slots=True)
class PictureFiles:
    """The images of a run by resolution, their scale factors, and what is not read."""

    images: dict[str, Path]
    factors: Path | None
    left: tuple[str, ...]


def samples_in(path: Path) -> dict[str, VisiumFiles]:
    """Return the runs of a folder by sample, ``""`` for one whose files have no prefix.

    The path is the folder ``outs``, the one above it, or ``spatial`` or the matrix
    inside it.
    """
    if not path.is_dir():
        return {}
    places = [path, path / "outs"]
    if path.name == "spatial" or path.name.endswith(_MATRICES):
        places.append(path.absolute().parent)
    for folder in places:
        matrices, positions = _matrices_in(folder), _positions_in(folder)
        alone = len(matrices) == 1
        found = {}
        for sample, matrix in matrices.items():
            places_file = of_sample(positions, sample, alone=alone)
            if places_file is not None:
                found[sample] = VisiumFiles(folder, matrix, places_file, sample)
        if found:
            # A run's own files go before copies of others beside them.
            return {"": found[""]} if "" in found else found
    return {}


def choose_run(path: Path, options: ReadOptions) -> VisiumFiles:
    """Return the files of the run to read.

    Raises
    ------
    InputError
        If there is none, or there are several and none is named by the part.
    """
    samples = samples_in(path)
    if not samples:
        raise InputError(missing_in(path) or f"Expected {NEEDED}; {path} has neither.")
    nameless = list(samples) == [""]
    if options.part is None or (nameless and _is_bins(path, options)):
        if len(samples) > 1:
            raise InputError(holds_several(path, list(samples)))
        run = next(iter(samples.values()))
    else:
        chosen = choose_sample(samples, options.part)
        if nameless:
            raise InputError(has_no_parts(path, options.part))
        if chosen is None:
            raise InputError(
                f"Expected the sample {options.part!r} in {path}; found "
                f"{abbreviate(list(samples))}. Name one of them whole."
            )
        run = samples[chosen]
    if options.counts is not None:
        run = replace(run, matrix=_given(options.counts, run.folder))
    if options.positions is not None:
        run = replace(run, positions=_given(options.positions, run.folder))
    return run


def _is_bins(path: Path, options: ReadOptions) -> bool:
    """Return whether a folder of Visium HD's bins is that of the size asked for."""
    told = _BINS.search(path.resolve().as_posix())
    return told is not None and options.bin_size("Visium HD") == int(told[1])


def run_of_matrix(path: Path, options: ReadOptions) -> VisiumFiles | None:
    """Return the run of a bare matrix: with the positions given, or those beside it.

    Raises
    ------
    InputError
        If the positions beside it are of other samples.
    """
    folder = path.absolute().parent
    sample = tenx.sample_of(path)
    if options.positions is not None:
        return VisiumFiles(folder, path, _given(options.positions, folder), sample)
    above = [folder.parent] if folder.name.endswith(_MATRICES) else []
    for place in (folder, *above):
        positions = _positions_in(place)
        found = of_sample(positions, sample, alone=True)
        if found is not None:
            return VisiumFiles(place, path, found, sample)
        # A matrix of any name, beside the positions of one run.
        if len(positions) == 1:
            other, file = next(iter(positions.items()))
            if are_different(path.name, other):
                raise InputError(_of_another(path, file))
            return VisiumFiles(place, path, file, sample)
    return None


def pictures_of(run: VisiumFiles) -> PictureFiles:
    """Return the images and scale factors beside the positions, or in the run."""
    places = (run.positions.parent, run.folder / "spatial", run.folder)
    return pictures_near(places, run.sample or _sample_of_positions(run.positions))


def pictures_near(places: Sequence[Path], sample: str) -> PictureFiles:
    """Return the images and scale factors of a sample.

    Parameters
    ----------
    places
        Folders where they may be, the likeliest first.
    sample
        As their names tell it; empty where they have no prefix.
    """

    def own(place: Path, stem: str, endings: tuple[str, ...]) -> Path | None:
        files = files_of_samples(place, (stem,), endings)
        return of_sample(files, sample, alone=True)

    stems = {name: f"tissue_{name}_image" for name in RESOLUTIONS}
    found = []
    for place in dict.fromkeys(place.absolute() for place in places):
        held = {
            name: file
            for name, stem in stems.items()
            if (file := own(place, stem, IMAGE_ENDINGS)) is not None
        }
        left = [
            name
            for resolution, stem in stems.items()
            if resolution not in held
            for name in _not_read(place, stem, sample)
        ]
        found.append((held, own(place, _FACTORS, (".json",)), left))
    # Where there are both, the factors are those of the images.
    best = next((one for one in found if one[0] and one[1] is not None), None)
    if best is not None:
        return PictureFiles(best[0], best[1], tuple(best[2]))
    images = next((one[0] for one in found if one[0]), {})
    factors = next((one[1] for one in found if one[1] is not None), None)
    return PictureFiles(images, factors, tuple(n for one in found for n in one[2]))


def doubts_of_pictures(files: PictureFiles) -> tuple[str, ...]:
    """Return what a run's images lack."""
    doubts = [
        f"{name} is not read: images are read as {', '.join(IMAGE_ENDINGS)}, also with "
        ".gz."
        for name in files.left
    ]
    if files.images and files.factors is None:
        doubts.append(
            "There is no scalefactors_json.json beside the image: where the spots are "
            "on it is unknown, and it is not shown."
        )
    return tuple(doubts)


def _not_read(folder: Path, stem: str, sample: str) -> list[str]:
    """Return the files of a kind that end as none that is read."""
    if not folder.is_dir():
        return []
    names = (path.name for path in sorted(folder.iterdir()) if stem in path.name)
    return [n for n in names if sample_in(n.split(stem)[0] + stem, stem) == sample]


NEEDED = (
    "a Space Ranger folder with a matrix (filtered_feature_bc_matrix.h5, or matrix.mtx "
    "with barcodes.tsv and features.tsv) and a positions file "
    "(tissue_positions.csv, .parquet or tissue_positions_list.csv, there or in a "
    "folder named spatial)"
)


def missing_in(path: Path) -> str:
    """Return what a folder lacks of a run, empty where it has nothing of one."""
    folder = path / "outs" if (path / "outs").is_dir() else path
    matrices, positions = _matrices_in(folder), _positions_in(folder)
    packed = [
        name
        for name in archives_in(folder)
        if any(word in name for word in ("spatial", "matrix", "outputs", "outs"))
    ]
    half = _half_in(folder)
    if half and not matrices:
        return f"Expected {NEEDED}; {half}."
    if not (matrices or positions or (packed and "bc_matrix" in " ".join(packed))):
        return ""
    names = [_shown(m, folder) for m in matrices.values()]
    places = [_shown(p, folder) for p in positions.values()]
    unpack = f" Unpack {abbreviate(packed)} there first." if packed else ""
    if matrices and positions:
        return (
            f"Expected {NEEDED} of one sample; {folder} has the matrix "
            f"{abbreviate(names)} and the positions {abbreviate(places)}, whose names "
            "do not go together. Rename them, or name both files."
        )
    if matrices:
        todo = unpack or " Put the positions file there, or choose the folder outs."
        found = f"the matrix {abbreviate(names)}, but no positions file"
    elif positions:
        todo = unpack or " Put the matrix there, or choose the folder outs."
        found = f"the positions {abbreviate(places)}, but no matrix"
    else:
        todo, found = unpack, "packed files only"
    return f"Expected {NEEDED}; {folder} has {found}.{todo}"


def without_positions(path: Path) -> str:
    """Return what is missing of a bare matrix."""
    folder = path.absolute().parent
    packed = [name for name in archives_in(folder) if "spatial" in name]
    others = sorted(p.name for p in folder.iterdir() if p.name != path.name)
    todo = (
        f"Unpack {abbreviate(packed)} there first."
        if packed
        else "Put the positions file there, or open the folder outs."
    )
    return (
        f"Expected the positions of the spots beside the matrix {path}: "
        "tissue_positions.csv, tissue_positions.parquet or "
        "tissue_positions_list.csv, there or in a folder named spatial; found "
        f"{abbreviate(others)}. {todo}"
    )


def _half_in(folder: Path) -> str:
    """Return what a matrix as text lacks, in a folder or the matrix's in it."""
    inner = [p for name in _MATRICES for p in sorted(folder.glob(f"*{name}"))]
    found = (tenx.lacking_in(p) for p in (*inner, folder) if p.is_dir())
    return next(filter(None, found), "")


def _matrices_in(folder: Path) -> dict[str, Path]:
    """Return the matrices of a folder by sample: filtered before raw, HDF5 first."""
    found: dict[str, Path] = {}
    for name in _MATRICES:
        for sample, file in files_of_samples(folder, (name,), (".h5",)).items():
            found.setdefault(sample, file)
        for inner in sorted(folder.glob(f"*{name}")) if folder.is_dir() else ():
            sample = sample_in(inner.name, name) or ""
            if inner.is_dir():
                for own, files in tenx.triples_in(inner).items():
                    found.setdefault(sample or own, files.matrix)
    loose = tenx.triples_in(folder)
    for sample, files in loose.items():
        found.setdefault(sample, files.matrix)
    return dict(sorted(found.items()))


def _positions_in(folder: Path) -> dict[str, Path]:
    """Return the positions files of a folder and its ``spatial`` by sample."""
    if not folder.is_dir():
        return {}
    found: dict[str, Path] = {}
    for place in (*sorted(folder.glob("*spatial")), folder):
        if place.is_dir():
            front = sample_in(place.name, "spatial") if place != folder else ""
            for sample, file in positions_in(place).items():
                found.setdefault(sample or front or "", file)
    return found


def _sample_of_positions(positions: Path) -> str:
    name = positions.name.removesuffix(".gz").rsplit(".", 1)[0]
    return sample_in(name, "tissue_positions") or ""


def _given(name: str | Path, folder: Path) -> Path:
    """Return a path as given, or in the run's folder if it stands there."""
    path = Path(name).expanduser()
    inside = folder / path
    if not path.exists() and not inside.exists():
        raise InputError(
            f"Expected the file {name}, as a path or in {folder}; there is none. Check "
            "the name."
        )
    return inside if not path.exists() else path


def _of_another(matrix: Path, positions: Path) -> str:
    return (
        f"Expected the positions of the sample of {matrix.name} beside it; found only "
        f"{positions.name}, of another sample. Put the right positions file there, or "
        "name it."
    )


def _shown(file: Path, folder: Path) -> str:
    return str(file.relative_to(folder)) if file.is_relative_to(folder) else file.name
