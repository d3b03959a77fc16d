"""A run from files to files: read, find domains, save and score."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_semst.core.progress import RunControl, run_to_end, with_callback
from napari_semst.errors import ConfigError, InputError, SaveError, SemstError
from napari_semst.io.export.destinations import check_destination
from napari_semst.pipeline.files_read import inputs_of
from napari_semst.pipeline.summary import run_summary
from napari_semst.wording import Way, Worded

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from anndata import AnnData
    from numpy.typing import NDArray

    from napari_semst.config import Config, Request
    from napari_semst.core.progress import Progress
    from napari_semst.pipeline.checkpoint import CheckpointFolder
    from napari_semst.pipeline.journal import Journal
    from napari_semst.pipeline.result import DomainResult

    Steps = Generator[Progress, None, DomainResult]


@dataclass(frozen=True, slots=True)
class RunOutputs:
    """Where results go, `None` where not wanted, and files read beside the input.

    `checkpoint` is the folder that a killed run goes on from.
    """

    tissue: Path | None
    csv: Path | None
    figure: Path | None
    overwrite: bool
    model: Path | None = None
    reads: tuple[Path, ...] = ()
    checkpoint: Path | None = None

    def check(self, *sources: Path, config: Config | None = None) -> None:
        """Refuse before the work, not after it.

        Parameters
        ----------
        *sources
            The input, which is never written over.
        config
            The settings, whose files are not written over either.

        Raises
        ------
        SaveError
            If a file exists or is one that is read, or its folder does not take it.
        """
        from napari_semst.figure.file import FIGURE_FORMATS

        reads = [*self.reads]
        for source in sources:
            reads += inputs_of(source, config)
        outputs: dict[Path, Path] = {}
        for path, endings in (
            (self.tissue, (".h5ad",)),
            (self.csv, (".csv",)),
            (self.model, (".safetensors",)),
            (self.figure, FIGURE_FORMATS),
        ):
            if path is None:
                continue
            check_destination(path, endings, overwrite=self.overwrite, reads=reads)
            if outputs.setdefault(path.resolve(), path) is not path:
                raise SaveError(
                    f"Expected a file of its own for each result; got {path} twice. "
                    "Choose another name for one of them."
                )
        if self.checkpoint is not None:
            _make_folder(self.checkpoint.parent)

    def try_writing(
        self, tissue: AnnData, layer: str = "", check: Callable[[], None] | None = None
    ) -> None:
        """Refuse a section that cannot be saved, before the work.

        What will be written otherwise than it is held is noted as a warning.

        Parameters
        ----------
        tissue
            The section as it was read.
        layer
            Its counts, which the work itself will read.
        check
            Called while matrices on disk are looked through; may raise `Cancelled`.

        Raises
        ------
        SaveError
            If something in it fits into no file, all of it named; or if there is no
            room for it.
        InputError
            If a matrix on disk beside the counts is damaged.
        """
        from napari_semst.io.export.atomic import estimated_bytes, try_place
        from napari_semst.io.export.trial import try_writing
        from napari_semst.io.notes import warn
        from napari_semst.io.stored_counts import check_beside_counts

        if self.tissue is not None:
            check_beside_counts(tissue, layer, check or (lambda: None))
            try_place(self.tissue, estimated_bytes(tissue))
            warn(tissue, *try_writing(tissue, self.tissue.suffix))

    def write(
        self, tissue: AnnData, coordinates: str, packed_in: Path | None = None
    ) -> list[str]:
        """Write what is wanted; return the names of the files.

        Parameters
        ----------
        tissue
            With its domains.
        coordinates
            Where its spots stand; empty: found.
        packed_in
            As for `napari_semst.io.export.h5ad.write`.
        """
        from napari_semst.io.export.h5ad import write, write_domains_csv

        place = coordinates or None
        if self.tissue is not None:
            write(tissue, self.tissue, overwrite=self.overwrite, packed_in=packed_in)
        if self.csv is not None:
            write_domains_csv(
                tissue, self.csv, overwrite=self.overwrite, coordinates=place
            )
        if self.figure is not None:
            self.draw(tissue, self.figure, place)
        return [str(p) for p in (self.tissue, self.csv, self.figure) if p is not None]

    def draw(self, tissue: AnnData, figure: Path, coordinates: str | None) -> None:
        """Draw what was found."""
        from napari_semst.figure import domain_figure

        domain_figure(tissue, figure, coordinates=coordinates, overwrite=self.overwrite)


@dataclass(frozen=True, slots=True)
class Scoring:
    """An annotation to score against, and whether spots without one are left out."""

    truth: str | None
    drop_unannotated: bool

    @property
    def spots(self) -> str:
        """Which spots are clustered, in words."""
        return f"with {self.truth}" if self.drop_unannotated else "all"

    def check(self) -> None:
        """Raise `ConfigError` where spots are left out by an annotation not named."""
        if self.drop_unannotated and self.truth is None:
            raise ConfigError(
                Worded(
                    "Expected ",
                    Way(
                        "--truth COLUMN with --drop-unannotated",
                        "truth with drop_unannotated",
                        "an annotation, to leave out spots without one",
                    ),
                    "; got none. Name the annotation, or cluster every spot.",
                )
            )

    def choose(self, tissue: AnnData) -> AnnData:
        """Return the spots to cluster: all, unless the user asked otherwise."""
        from napari_semst.io.matrices import stored_matrices
        from napari_semst.io.readers.h5ad import check_matrix

        self.check()
        annotated = None
        if self.truth is not None:
            annotated = _column(tissue, self.truth).notna().to_numpy()
            if annotated.sum() < 2:
                raise InputError(
                    f"Expected an annotation of at least two spots in {self.truth!r}; "
                    f"found {int(annotated.sum())}. Choose another column."
                )
        if annotated is None or not self.drop_unannotated:
            return tissue
        chosen = tissue[annotated].copy()
        if stored_matrices(tissue):
            check_matrix(chosen)
        return chosen

    def scores(
        self,
        tissue: AnnData,
        codes: NDArray[np.int32],
        coordinates: str,
        section_key: str = "",
    ) -> dict[str, float]:
        """Return the scores in space and, where there is one, against the annotation.

        Parameters
        ----------
        tissue
            The spots that were clustered.
        coordinates
            Where their coordinates stand; empty: found.
        section_key
            obs column that tells sections apart.
        """
        from napari_semst.domains.metrics import spatial_scores, truth_scores
        from napari_semst.io.coordinates import find_coordinates
        from napari_semst.io.sections import sections_of

        places = find_coordinates(tissue, coordinates or None)
        scores = spatial_scores(
            codes, places, sections=sections_of(tissue, section_key).codes
        )
        if self.truth is None:
            return scores
        return {**truth_scores(codes, _column(tissue, self.truth)), **scores}


def find_and_save(
    sources: Sequence[Path],
    request: Request,
    name: str,
    scoring: Scoring,
    files: RunOutputs,
    *,
    through: Callable[[Steps], Steps],
    control: RunControl | None = None,
    notes: Mapping[str, Any] | None = None,
    journal: Journal | None = None,
) -> dict[str, Any]:
    """Read, find domains, save and score; return an account in plain values.

    Parameters
    ----------
    sources
        The input; several are joined, and done together.
    through
        Passes the events of the run on, and shows them to whoever waits.
    notes
        More entries for the provenance of the result.
    journal
        Told what happens; its end is for who entered it.
    """
    from napari_semst import keys
    from napari_semst.core.memory import memory_limited
    from napari_semst.io.stored_counts import counts_open
    from napari_semst.methods.resolve import resolve
    from napari_semst.pipeline.input_files import with_inputs
    from napari_semst.pipeline.journal import Journal
    from napari_semst.pipeline.model import check_savable
    from napari_semst.pipeline.provenance import CONTENT, INPUTS
    from napari_semst.pipeline.run import attach, find_domains

    keys.check_run_name(name)
    asked, control = resolve(request), control or RunControl()
    journal, notes = journal or Journal.to(None), dict(notes or {})
    _say_start(journal, sources, asked, files)
    files.check(*sources, config=asked)
    states = _kept_states(files, control, journal)
    if files.model is not None:
        check_savable(asked)
    journal.stage("read")
    with memory_limited(asked.training.max_memory):
        tissue, config = _read(sources, request)
    with counts_open(tissue) as check_unchanged:
        tissue = scoring.choose(tissue)
        files.try_writing(tissue, config.prepare.counts_layer, control.check)
        steps = with_inputs(
            find_domains(tissue, config, control),
            sources,
            asked,
            control,
            spots=scoring.spots,
            known=notes.pop(INPUTS, None),
            tell=journal.inputs,
        )
        result = run_to_end(through(with_callback(steps, journal.hear)))
        result.provenance.update(notes)
        settings = result.provenance["config"]["prepare"]
        place = settings["coordinates"]
        check_unchanged()
        journal.stage("write")
        attach(tissue, result, name, inplace=True)
        # Saved first: a score that cannot be had must not cost the result.
        written = _save(files, tissue, result, place, sources)
        journal.wrote(written, result)
        if states is not None:
            states.remove()
        scores = scoring.scores(tissue, result.codes, place, settings["section_key"])
        n_genes = result.provenance[CONTENT]["n_genes"]
        return run_summary(sources, n_genes, result, scores, written)


def _save(
    files: RunOutputs,
    tissue: AnnData,
    result: DomainResult,
    coordinates: str,
    sources: Sequence[Path],
) -> list[str]:
    """Write what is wanted, the model too; return the names of the files."""
    from napari_semst.pipeline.model import save_model

    written = files.write(tissue, coordinates, _packed_input(sources))
    if files.model is not None:
        saved = save_model(result.model, files.model, overwrite=files.overwrite)
        written.append(str(saved))
    return written


def _packed_input(sources: Sequence[Path]) -> Path | None:
    """Return the .h5ad that was read; `None` where it is another kind, or unreadable.

    It may be locked or damaged by now, which is nothing to a result that is in memory.
    """
    from napari_semst.io.readers.registry import H5AD

    try:
        alone = len(sources) == 1 and sources[0].is_file()
        return sources[0] if alone and H5AD.can_read(sources[0]) else None
    except (OSError, RuntimeError, SemstError):
        return None


def _read(sources: Sequence[Path], request: Request) -> tuple[AnnData, Config]:
    """Return the tissue of a file, or of several joined, and its settings."""
    from napari_semst.io.concat_sections import concat_from
    from napari_semst.io.read import read
    from napari_semst.methods.resolve import resolve
    from napari_semst.methods.spec import method_spec

    if len(sources) > 1:
        tissue, request = concat_from(sources, request)
        return tissue, resolve(request)
    config = resolve(request)
    wanted = config.prepare
    tissue = read(
        sources[0],
        positions=wanted.positions or None,
        part=wanted.part or None,
        features=wanted.features,
        on_disk=method_spec(config.model.method).counts_by_rows(config),
    )
    return tissue, config


def _kept_states(
    files: RunOutputs, control: RunControl, journal: Journal
) -> CheckpointFolder | None:
    """Let the run keep its states where that is wanted; return where."""
    from napari_semst.pipeline.checkpoint import CheckpointFolder

    if files.checkpoint is None:
        return None
    control.states = folder = CheckpointFolder(
        files.checkpoint, tell=journal.checkpoint
    )
    return folder


def _say_start(
    journal: Journal, sources: Sequence[Path], config: Config, files: RunOutputs
) -> None:
    """Tell a journal what is read and what will be written."""
    outputs = (files.tissue, files.csv, files.figure, files.model)
    wanted = [path for path in outputs if path is not None]
    journal.started("run", config, inputs=[*sources, *files.reads], outputs=wanted)


def checkpoint_place(result: Path, folder: Path | bool = True) -> Path:
    """Return where the checkpoint of a result lies.

    Parameters
    ----------
    folder
        Where it is to be; True: beside the result.
    """
    parent = result.parent if isinstance(folder, bool) else folder.expanduser()
    return parent / f"{result.name}.checkpoint"


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SaveError(
            f"Expected a folder for checkpoints at {folder}; it could not be made: "
            f"{error.strerror or error}. Choose another."
        ) from error


def _column(tissue: AnnData, name: str) -> Any:
    if name not in tissue.obs:
        raise InputError(
            Worded(
                f"Expected an annotation in obs[{name!r}]; found obs columns "
                f"{', '.join(tissue.obs) or 'none'}. ",
                Way(
                    "Give one of them to --truth.",
                    "Give one of them as truth.",
                    "Choose one of them.",
                ),
            )
        )
    return tissue.obs[name]
