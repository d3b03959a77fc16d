"""The whole way in one call, for scripts and notebooks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_semst import keys
from napari_semst.config import Request, number_of_domains
from napari_semst.core.progress import RunControl, run_to_end, with_callback

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from anndata import AnnData

    from napari_semst.core.progress import Progress


def find_domains(
    source: AnnData | str | Path | Sequence[AnnData | str | Path],
    *,
    n_domains: int | str,
    section_key: str | None = None,
    method: str | None = None,
    preset: str = "auto",
    seed: int = 0,
    overrides: dict[str, dict[str, Any]] | None = None,
    run: str = keys.DEFAULT_RUN,
    on_progress: Callable[[Progress], None] | None = None,
    journal: str | Path | Callable[[dict[str, Any]], None] | None = None,
    checkpoint: str | Path | None = None,
    inplace: bool = False,
) -> AnnData:
    """Find the domains of a tissue or file, and return the tissue with them.

    `napari_semst.pipeline.run.find_domains` is the same as a generator, which can be
    cancelled and stopped early.

    Parameters
    ----------
    source
        A tissue, or the path of a file or folder that `napari_semst.read` reads. A list
        of several: they are joined, and their domains found together.
    n_domains
        Number of domains (k), or ``"auto"``: chosen from a curve without annotation,
        which stands in ``uns["semst"][run]["number_of_domains"]``.
    section_key
        obs column that tells the sections of one tissue apart: neighbours are sought
        inside sections, and their domains found together.
    method
        One of `napari_semst.config.method_registry.METHODS`; the preset's where `None`.
    preset
        Name of a recipe of `napari_semst.config.presets.PRESETS`, or ``auto``.
    seed
        Seed of everything random.
    overrides
        Settings that differ from the preset, by stage:
        ``{"training": {"epochs": 50}}``.
    run
        Name of the run.
    on_progress
        Called with every progress event.
    journal
        File to which lines of JSON are added that say what happens, or a function
        that takes each as a dictionary.
    checkpoint
        Folder that keeps what is learnt while training; the same call goes on from
        there after the process was killed. It is removed at the end.
    inplace
        Write the domains into the tissue that was given instead of a copy.

    Returns
    -------
    tissue
        A new tissue, and what was given is not changed; or the tissue given itself.

    Raises
    ------
    SemstError
        One of its kinds, with what was expected, found and to do.
    """
    from napari_semst.io.concat_sections import concat_from
    from napari_semst.io.read import as_tissue
    from napari_semst.methods.resolve import resolve
    from napari_semst.pipeline import run as pipeline
    from napari_semst.pipeline.checkpoint import CheckpointFolder
    from napari_semst.pipeline.input_files import with_inputs
    from napari_semst.pipeline.journal import Journal

    keys.check_run_name(run)
    request = (
        Request(preset, overrides or {})
        .with_settings("domains", n_domains=number_of_domains(n_domains))
        .with_settings("training", seed=seed)
        .with_settings("model", method=method)
        .with_settings("prepare", section_key=section_key)
    )
    asked = resolve(request)
    files = [Path(one) for one in _listed(source) if isinstance(one, str | Path)]
    states = None if checkpoint is None else CheckpointFolder(checkpoint)
    control = RunControl(states)
    with Journal.to(journal) as told:
        if states is not None:
            states.tell = told.checkpoint
        told.started("find_domains", asked, inputs=files)
        told.stage("read")
        if isinstance(source, list | tuple):
            (tissue, request), own = concat_from(source, request), True
        else:
            given = request.overrides.get("prepare", {})
            keys_read = ("part", "features", "positions")
            wanted = {key: str(given.get(key, "")) for key in keys_read}
            tissue, own = as_tissue(source, **wanted)
        steps = pipeline.find_domains(tissue, request, control)
        if len(files) == len(_listed(source)):
            steps = with_inputs(steps, files, asked, control, tell=told.inputs)
        result = run_to_end(with_callback(steps, told.hear), on_progress)
        done = pipeline.attach(tissue, result, run, inplace=own or inplace)
        told.wrote([], result)
    if states is not None:
        states.remove()
    return done


def _listed(
    source: AnnData | str | Path | Sequence[AnnData | str | Path],
) -> Sequence[AnnData | str | Path]:
    return source if isinstance(source, list | tuple) else [source]
