"""Any input that is read, written as AnnData or SpatialData."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_semst import keys
from napari_semst.core.progress import Progress, run_to_end
from napari_semst.errors import ConfigError, SaveError, one_of
from napari_semst.io.export.destinations import check_destination
from napari_semst.pipeline.files_read import inputs_of
from napari_semst.wording import Way, Worded

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

    from anndata import AnnData

ANNDATA, SPATIALDATA = "anndata", "spatialdata"
# What the name of an output may end in, by what is written.
_ENDINGS = {ANNDATA: (".h5ad", ".zarr"), SPATIALDATA: (".zarr",)}
# Where X goes when a layer with the counts takes its place.
_BEFORE = "before_conversion"


@dataclass(frozen=True, slots=True)
class Conversion:
    """What was written.

    Parameters
    ----------
    path
        The file or store, symbolic links followed.
    tissue
        What it holds, as it was read from the input.
    facts
        Where it comes from: ``uns["semst_conversion"]`` of the file.
    warnings
        What was noticed, left out or written otherwise.
    """

    path: Path
    tissue: AnnData
    facts: dict[str, Any]
    warnings: tuple[str, ...]


def convert(
    source: str | Path,
    output: str | Path,
    *,
    part: str | int | None = None,
    positions: str | Path | None = None,
    features: str | None = None,
    counts_layer: str = "",
    output_format: str = ANNDATA,
    image: str | Path | None = None,
    pixel_size: float | None = None,
    landmarks: str | Path | None = None,
    overwrite: bool = False,
    on_progress: Callable[[Progress], None] | None = None,
) -> Conversion:
    """Write any input that `napari_semst.read` reads as AnnData or SpatialData.

    Counts, images, scale factors, places and sections are as they were read. The file
    appears whole or not at all, and is read back before it takes its place.

    Parameters
    ----------
    source
        The input; it is never changed.
    output
        Where to: ``.h5ad``, or ``.zarr``.
    part, positions, features
        As for `napari_semst.read`.
    counts_layer
        Layer that holds the counts (or ``"raw"``), which becomes X; what X held goes
        into ``layers["before_conversion"]``. Empty leaves X as it is.
    output_format
        ``"anndata"``, or ``"spatialdata"``: a ``.zarr`` store with a table, a circle
        for each spot and the images.
    image
        A file whose image is added to the section, see `napari_semst.add_image`.
    pixel_size
        Micrometres in a pixel of it, where the file does not state it.
    landmarks
        A table by which it is registered, see `napari_semst.read_landmarks`.
    overwrite
        Whether a file or store that stands there may be replaced.
    on_progress
        Called with every progress event.

    Raises
    ------
    InputError
        If the input holds nothing that can be read as a tissue section.
    CountsError
        If ``counts_layer`` names something that holds no raw counts.
    SaveError
        If the place cannot be written, or lies in the input or around it; if
        something fits into no file; if what was written did not read back the same.
    """
    steps = convert_steps(
        source,
        output,
        part=part,
        positions=positions,
        features=features,
        counts_layer=counts_layer,
        output_format=output_format,
        image=image,
        pixel_size=pixel_size,
        landmarks=landmarks,
        overwrite=overwrite,
    )
    return run_to_end(steps, on_progress)


def convert_steps(
    source: str | Path,
    output: str | Path,
    *,
    part: str | int | None = None,
    positions: str | Path | None = None,
    features: str | None = None,
    counts_layer: str = "",
    output_format: str = ANNDATA,
    image: str | Path | None = None,
    pixel_size: float | None = None,
    landmarks: str | Path | None = None,
    overwrite: bool = False,
) -> Generator[Progress, None, Conversion]:
    """Do what `convert` does as a generator of progress events."""
    from napari_semst.io.export.trial import try_writing
    from napari_semst.io.notes import input_warnings, warn
    from napari_semst.io.read import read

    origin, place = Path(source).expanduser(), Path(output).expanduser()
    more = [Path(one).expanduser() for one in (image, landmarks) if one is not None]
    reads = [*inputs_of(origin), *_file_beside(origin, positions), *more]
    check_conversion(origin, place, output_format, overwrite=overwrite, reads=reads)
    yield Progress("read", 0, 0, f"Reading {origin.name}")
    tissue = read(origin, part=part, positions=positions, features=features)
    _use_counts(tissue, counts_layer)
    _use_image(tissue, image, pixel_size, landmarks)
    strict = output_format == SPATIALDATA
    warn(tissue, *try_writing(tissue, place.suffix, strict_names=strict))
    asked = {
        "part": part,
        "positions": positions,
        "features": features,
        "counts_layer": counts_layer,
        "image": image,
        "pixel_size": pixel_size,
        "landmarks": landmarks,
    }
    facts = _facts(tissue, origin, output_format, asked)
    tissue.uns[keys.CONVERSION] = facts
    yield Progress("write", 0, 0, f"Writing {place.name}")
    if strict:
        from napari_semst.io.export.spatialdata_store import write_spatialdata

        path = write_spatialdata(tissue, place, overwrite=overwrite)
    else:
        from napari_semst.io.export.h5ad import write

        path = write(tissue, place, overwrite=overwrite)
    return Conversion(path, tissue, facts, tuple(input_warnings(tissue)))


def check_conversion(
    source: Path,
    output: Path,
    output_format: str,
    *,
    overwrite: bool,
    reads: Iterable[Path],
) -> None:
    """Refuse a conversion before the work.

    Parameters
    ----------
    source, output, output_format, overwrite
        As for `convert`.
    reads
        The files of the input, none of which is written over.

    Raises
    ------
    ConfigError
        If there is no such format.
    SaveError
        If the place cannot be written, or lies in the input or around it.
    """
    if output_format not in _ENDINGS:
        raise ConfigError(one_of("the format", output_format, tuple(_ENDINGS)))
    check_destination(output, _ENDINGS[output_format], overwrite=overwrite, reads=reads)
    origin, place = source.resolve(), output.resolve()
    # Whoever replaces a store removes all that is in it.
    if place in origin.parents:
        raise SaveError(
            f"Expected another place than one that holds the input; {origin} lies in "
            f"{place}. The input is never written over: choose another name."
        )
    inside = [folder for folder in place.parents if folder.suffix == ".zarr"]
    if inside:
        raise SaveError(
            f"Expected a place of its own for the result; {place} lies in the store "
            f"{inside[-1]}. Choose a place beside it."
        )


def _file_beside(source: Path, positions: str | Path | None) -> list[Path]:
    """Return the file of positions, where these are in a file."""
    if positions is None:
        return []
    named = Path(positions).expanduser()
    places = (named, source.absolute().parent / named)
    return [place for place in places if place.is_file()]


def _use_counts(tissue: AnnData, layer: str) -> None:
    """Put the counts of a layer into X; what stood there is never lost."""
    from napari_semst.io.counts import find_counts
    from napari_semst.io.matrices import named_layers
    from napari_semst.io.notes import note, warn

    if not layer or layer == "X":
        return
    found = find_counts(tissue, layer)
    before = tissue.X
    # A layer is taken as it is, whatever its type of number.
    tissue.X = tissue.layers[layer] if layer in named_layers(tissue) else found.matrix
    note(tissue, counts=found.where)
    if before is None:
        return
    key, count = _BEFORE, 1
    while key in named_layers(tissue):
        count += 1
        key = f"{_BEFORE}_{count}"
    tissue.layers[key] = before
    warn(
        tissue,
        f"X holds the counts of {found.where}; what it held before is in "
        f"layers[{key!r}].",
    )


def _use_image(
    tissue: AnnData,
    image: str | Path | None,
    pixel_size: float | None,
    landmarks: str | Path | None,
) -> None:
    """Add an image, and register it."""
    from napari_semst.io.places.added_image import add_image
    from napari_semst.io.places.landmarks import read_landmarks

    if image is None:
        if pixel_size is not None or landmarks is not None:
            raise ConfigError(
                Worded(
                    "Expected an image with its pixel size or landmarks; got none. ",
                    Way(
                        "Name it: --image FILE.", "Name it: image=FILE.", "Choose one."
                    ),
                )
            )
        return
    known = None if landmarks is None else read_landmarks(landmarks)
    add_image(tissue, image, pixel_size=pixel_size, landmarks=known)


def _facts(
    tissue: AnnData, source: Path, output_format: str, asked: dict[str, Any]
) -> dict[str, Any]:
    """Return where a tissue comes from, as values that files hold."""
    from napari_semst.io.notes import INPUT, input_warnings
    from napari_semst.pipeline.provenance import versions

    noted = {
        key: value
        for key, value in tissue.uns.get(INPUT, {}).items()
        if key not in ("name", "warnings")
    }
    facts: dict[str, Any] = {
        "source": source.absolute().name,
        "format": noted.pop("kind"),
        "written_as": output_format,
        "versions": versions(),
        "asked_for": {key: str(value) for key, value in asked.items() if value},
        "noted": noted,
        "warnings": input_warnings(tissue),
        "n_spots": tissue.n_obs,
        "n_genes": tissue.n_vars,
    }
    earlier = tissue.uns.get(keys.CONVERSION)
    return facts if earlier is None else {**facts, "earlier": earlier}
