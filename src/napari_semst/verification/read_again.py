"""The input of a run, read as the run read it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_semst.errors import ConfigError
from napari_semst.pipeline.input_files import INPUT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData

    from napari_semst.verification.saved import SavedRun


def read_again(saved: SavedRun, sources: Sequence[Path]) -> AnnData:
    """Return the spots that a run used, of its inputs where they are now.

    Parameters
    ----------
    sources
        The inputs in the order of the run.

    Raises
    ------
    SemstError
        If they cannot be read as the run read them.
    """
    from napari_semst.io.concat_sections import join_sections, section_names
    from napari_semst.io.read import as_tissue

    if saved.config is None:
        raise ConfigError("Expected the settings of the run; they cannot be read.")
    wanted = saved.config.prepare
    options = {"features": wanted.features}
    if [place.absolute() for place in sources] != [Path(saved.path).absolute()]:
        options |= {"part": wanted.part, "positions": wanted.positions}
    if len(sources) == 1:
        tissue = as_tissue(sources[0], **options)[0]
    else:
        # Spots are called after the files as they were called then.
        recorded = [Path(row["path"]) for row in saved.files if row["role"] == INPUT]
        names = section_names(recorded)
        tissue = join_sections(
            {
                name: as_tissue(source, **options)[0]
                for name, source in zip(names, sources, strict=True)
            },
            saved.note_of_inputs("layer"),
            saved.note_of_inputs("places"),
        )
    used = saved.tissue.obs_names
    if tissue.obs_names.equals(used) or not used.isin(tissue.obs_names).all():
        return tissue
    # A run may leave out spots without annotation.
    return tissue[used].copy()
