"""What a cohort consists of, and everything that is refused before the work."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_semst.cohort.task import SectionTask
from napari_semst.errors import ConfigError, InputError, SaveError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from napari_semst.config import Request
    from napari_semst.pipeline.job import Scoring

_ARRAYS = (".npy", ".npz", ".safetensors", ".csv", ".tsv", ".gz")
_SHOWN = 5


def plan_cohort(
    sources: Iterable[str | Path],
    output_dir: str | Path,
    request: Request,
    *,
    run: str,
    scoring: Scoring,
    overwrite: bool,
    checkpoints: Path | bool = False,
) -> list[SectionTask]:
    """Return one task per section, or say before the work why it cannot be done.

    The output folder is made if it is not there.

    Parameters
    ----------
    output_dir
        Folder of the results, ``<name>_semst.h5ad``.
    overwrite
        Whether results that are there are made again.
    checkpoints
        Folder for the checkpoints from which killed sections go on; True: beside the
        results, False: none.

    Raises
    ------
    ConfigError
        If the settings are not complete or not accepted.
    InputError
        If an input is not there, or two have the same name.
    SaveError
        If a result would replace an input, or another result.
    """
    from napari_semst import keys
    from napari_semst.cohort.fingerprint import why_outdated
    from napari_semst.io.concat_sections import stem
    from napari_semst.pipeline.provenance import versions

    keys.check_run_name(run)
    request = settled_request(request)
    scoring.check()
    places = [Path(source).expanduser().absolute() for source in sources]
    names = [stem(place) for place in places]
    _check_sources(places, names)
    folder = _folder(Path(output_dir).expanduser().absolute())
    results = [folder / f"{name}_semst.h5ad" for name in names]
    tasks = [
        SectionTask(
            name=name,
            source=str(place),
            result=str(result),
            request=request.to_toml(),
            run=run,
            truth=scoring.truth,
            drop_unannotated=scoring.drop_unannotated,
            overwrite=overwrite,
            version=versions()["napari-semst"],
            checkpoint=_checkpoint(result, checkpoints),
        )
        for place, name, result in zip(places, names, results, strict=True)
    ]
    _check_inputs_stay(tasks)
    if not overwrite:
        _check_results([(task, why_outdated(task)) for task in tasks])
    return tasks


def _checkpoint(result: Path, wanted: Path | bool) -> str:
    from napari_semst.pipeline.job import checkpoint_place

    if wanted is False:
        return ""
    return str(checkpoint_place(result, wanted).absolute())


def settled_request(request: Request) -> Request:
    """Return the request if it is complete, its files named from anywhere.

    Raises
    ------
    ConfigError
        If settings are not accepted, or the number of domains is not given.
    """
    from napari_semst.methods.resolve import resolve

    config = resolve(request)
    if config.domains.n_domains == 0:
        raise ConfigError(
            "Expected the number of domains (k) to be given; got none. Set "
            "domains.n_domains: -k 7 or -k auto in the shell, n_domains=7 or "
            "n_domains='auto' in Python."
        )
    weights = Path(config.model.weights).expanduser()
    if config.model.weights and weights.is_file():
        request = request.with_settings("model", weights=str(weights.absolute()))
    # A name without such an ending is an obsm key, whatever file is beside us.
    array = Path(config.semantics.embedding).expanduser()
    if array.suffix in _ARRAYS and array.is_file():
        request = request.with_settings("semantics", embedding=str(array.absolute()))
    for name in ("summaries", "table", "model"):
        given = request.overrides.get("semantics", {}).get(name, "")
        place = Path(given).expanduser()
        if given and place.exists():
            found = {name: str(place.absolute())}
            request = request.with_settings("semantics", **found)
    return request


def _check_sources(places: Sequence[Path], names: Sequence[str]) -> None:
    if not places:
        raise InputError("Expected at least one section; got none. Name its file.")
    missing = [str(place) for place in places if not place.exists()]
    if missing:
        raise InputError(
            f"Expected every input to be there; {len(missing)} of {len(places)} "
            f"are not: {_a_few(missing)}. Check the paths."
        )
    # Some file systems do not tell A from a.
    first: dict[str, Path] = {}
    for place, name in zip(places, names, strict=True):
        other = first.setdefault(name.casefold(), place)
        if other is not place:
            raise InputError(
                f"Expected sections with names of their own; {other} and {place} would "
                f"both be saved as {name}_semst.h5ad. Rename one, or run them into "
                "different folders (--output-dir)."
            )


def _folder(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SaveError(
            f"Expected a folder for the results at {folder}; it could not be made: "
            f"{error.strerror or error}. Choose another."
        ) from error
    return folder


def _check_inputs_stay(tasks: Sequence[SectionTask]) -> None:
    """Refuse results that are inputs, also by another path."""
    inputs = {Path(task.source).resolve(): task for task in tasks}
    for task in tasks:
        taken = inputs.get(Path(task.result).resolve())
        if taken is not None:
            raise SaveError(
                f"Expected inputs and results to be different files; {taken.source} is "
                f"an input and the place of the result of {task.name}. Leave it out, "
                "or choose another folder (--output-dir)."
            )


def _check_results(found: Sequence[tuple[SectionTask, str]]) -> None:
    others = [f"{Path(t.result).name} ({why})" for t, why in found if why]
    if others:
        raise SaveError(
            "Expected the results that are there to be of this version and these "
            f"settings; {len(others)} are not: {_a_few(others)}. Choose another folder "
            "(--output-dir), or add --overwrite to make all results again."
        )


def _a_few(texts: Sequence[str]) -> str:
    more = len(texts) - _SHOWN
    return "; ".join(texts[:_SHOWN]) + (f"; and {more} more" if more > 0 else "")
