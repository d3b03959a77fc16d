"""What happens in a run, line by line, for whoever does not watch it."""

from __future__ import annotations

import hashlib
import json
import math
import os
import platform
import secrets
import signal
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_semst.core.progress import NOTED, PRIVACY
from napari_semst.errors import Cancelled, SemstError, ShareDone
from napari_semst.pipeline.checkpoint import file_hash
from napari_semst.pipeline.journal_file import JournalFile, without_secrets
from napari_semst.pipeline.summary import peak_memory_mb

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from types import TracebackType
    from typing import Self

    from napari_semst.config import Config
    from napari_semst.core.progress import Progress
    from napari_semst.pipeline.result import DomainResult

# Version of the lines, in `journal.schema.json` beside this file.
JOURNAL_SCHEMA = 1
# Seconds between lines of progress: at least so many, and this share of the stage.
_SECONDS, _SHARE = 10.0, 0.05


class Journal:
    """The lines of one run; to be entered, so that its end is told whatever it is.

    Parameters
    ----------
    write
        Takes each line as a dictionary of plain values.
    words
        Returns a text in the words of the reader.
    arguments
        The command as it was given.
    **about
        What every line says besides, for instance ``section``.
    """

    def __init__(
        self,
        write: Callable[[dict[str, Any]], None],
        words: Callable[[str | BaseException], str] = str,
        arguments: Iterable[str] = (),
        **about: str,
    ) -> None:
        self._write, self._words = write, words
        self._arguments = list(arguments)
        self._about = {"run": secrets.token_hex(4), **about}
        self._began = time.monotonic()
        self._stage = ""
        self._stage_began = self._cpu_began = self._next = 0.0
        self._said: set[str] = set()
        self._ended = False
        # Its own, which is closed with it.
        self._file: JournalFile | None = None

    @classmethod
    def to(
        cls,
        place: str | Path | Callable[[dict[str, Any]], None] | None,
        words: Callable[[str | BaseException], str] = str,
        arguments: Iterable[str] = (),
        **about: str,
    ) -> Journal:
        """Return a journal that goes to a file, a function or, for `None`, nowhere.

        Raises
        ------
        SaveError
            If the file is something else than a journal, or cannot be written.
        """
        if place is None:
            return cls(_nowhere)
        if callable(place):
            return cls(place, words, arguments, **about)
        file = JournalFile(place)
        journal = cls(file, words, arguments, **about)
        journal._file = file
        return journal

    @property
    def failure(self) -> OSError | None:
        """What kept lines from its file; `None` where all are there."""
        return None if self._file is None else self._file.failure

    @property
    def is_kept(self) -> bool:
        """Whether anybody hears of it; for nobody, nothing is read for a hash."""
        return self._write is not _nowhere

    def started(
        self,
        command: str,
        config: Config | None = None,
        *,
        inputs: Iterable[Path] = (),
        outputs: Iterable[Path] = (),
        **more: Any,
    ) -> None:
        """Say what begins: command, releases, settings, inputs and machine.

        Parameters
        ----------
        inputs
            Files and folders that are read.
        outputs
            Files that will be written.
        **more
            Other facts of the command.
        """
        if not self.is_kept:
            return
        from napari_semst.pipeline.provenance import versions

        settings = None if config is None else config.to_dict()
        self._line(
            "start",
            schema=JOURNAL_SCHEMA,
            command=command,
            arguments=self._arguments,
            versions=versions(),
            settings=settings,
            settings_sha256=settings and _hash_of(settings),
            seed=None if config is None else config.training.seed,
            device=None if config is None else _device(config),
            inputs=[str(path) for path in inputs],
            outputs=[str(path) for path in outputs],
            machine=_machine(),
            pid=os.getpid(),
            **more,
        )

    def inputs(self, record: Mapping[str, Any]) -> None:
        """Say what was read, by the record of `pipeline.input_files.input_record`."""
        columns = (record[name] for name in ("given", "bytes", "sha256"))
        self._line(
            "inputs",
            files=[
                {"path": str(path), "bytes": int(size), "sha256": str(digest)}
                for path, size, digest in zip(*columns, strict=True)
            ],
        )

    def started_cohort(self, n_sections: int, outputs: Iterable[Path]) -> None:
        """Say that sections are to be done; each says itself what it reads."""
        self.started("cohort", outputs=outputs, n_sections=n_sections)

    def pass_on(self, line: dict[str, Any]) -> None:
        """Write a line of another journal, of a section for instance."""
        self._write(line)

    def stage(self, name: str) -> None:
        """Say that a stage begins, and what the one before took."""
        if name == self._stage:
            return
        self._close_stage()
        self._stage, self._stage_began = name, time.monotonic()
        self._cpu_began = time.process_time()
        self._next = self._stage_began + _SECONDS
        if name:
            self._line("stage_start", stage=name, **_memory())

    def hear(self, event: Progress) -> None:
        """Take a progress event of the run; most leave no line."""
        self.stage(event.stage)
        if event.notice:
            kind = event.notice if event.notice in (NOTED, PRIVACY) else "foreseen"
            self.warn(event.message, kind)
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + max(_SECONDS, _SHARE * (now - self._stage_began))
        self._line(
            "progress",
            stage=event.stage,
            step=int(event.step),
            steps=int(event.steps),
            message=str(event.message),
            metrics={name: float(value) for name, value in event.metrics.items()},
            **_memory(),
        )

    def warn(self, text: str, kind: str = "warning") -> None:
        """Say what the user is told, each text once."""
        said = self._words(text)
        if said not in self._said:
            self._said.add(said)
            self._line("warning", kind=kind, text=said)

    def checkpoint(self, action: str, facts: Mapping[str, Any]) -> None:
        """Say that a checkpoint was ``written``, ``read`` or ``refused``."""
        self._line("checkpoint", action=action, **facts)

    def wrote(self, files: Iterable[str | Path], result: DomainResult | None) -> None:
        """Say what was written, with the hash of every file and of the domains."""
        if not self.is_kept:
            return
        facts: dict[str, Any] = {}
        if result is not None:
            for text in result.provenance["warnings"]:
                self.warn(text)
            facts = {
                "n_spots": len(result.codes),
                "n_domains": len(result.names),
                "input_hash": result.provenance["input_hash"],
                "domains_sha256": hashlib.sha256(
                    result.codes.astype("<i4").tobytes()
                ).hexdigest(),
            }
        about = [_about_file(Path(file)) for file in files]
        self._line("result", files=about, **facts)

    def section(self, name: str, status: str, result: str, message: str) -> None:
        """Say what became of a section of a cohort."""
        self._line("section", name=name, status=status, result=result, message=message)

    def ended(self, status: str, error: BaseException | None = None) -> None:
        """Say how it ended; a second time says nothing.

        Parameters
        ----------
        status
            ``done``, ``skipped``, ``cancelled``, ``failed`` or ``interrupted``.
        """
        if self._ended:
            return
        self._close_stage()
        self._ended = True
        told = None
        if error is not None:
            told = {"type": type(error).__name__, "text": self._words(error)}
        self._line(
            "end",
            status=status,
            error=told,
            signal=_signal_of(error),
            wall_seconds=round(time.monotonic() - self._began, 3),
            cpu_seconds=round(time.process_time(), 3),
            **_memory(),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None or isinstance(error, ShareDone):
            self.ended("done")
        elif isinstance(error, Cancelled | GeneratorExit):
            self.ended("cancelled", error)
        elif isinstance(error, KeyboardInterrupt | SystemExit):
            self.ended("interrupted", error)
        else:
            self.ended("failed", error)
        if self._file is not None:
            self._file.close()

    def _close_stage(self) -> None:
        if not self._stage:
            return
        wall = time.monotonic() - self._stage_began
        cpu = time.process_time() - self._cpu_began
        self._line(
            "stage_end",
            stage=self._stage,
            wall_seconds=round(wall, 3),
            cpu_seconds=round(cpu, 3),
            **_memory(),
        )
        self._stage = ""

    def _line(self, event: str, **facts: Any) -> None:
        if not self.is_kept or (self._ended and event != "end"):
            return
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = {"time": now, "event": event, **self._about, **facts}
        self._write(without_secrets(_plain(line)))


def journal_schema() -> Path:
    """Return the JSON Schema of a journal's lines."""
    return Path(__file__).with_name("journal.schema.json")


def _nowhere(_: dict[str, Any]) -> None:
    """Write nothing."""


def _plain(value: Any) -> Any:
    """Return a value as JSON has it: numbers that are none are null."""
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return (
        value if value is None or isinstance(value, bool | int | float) else f"{value}"
    )


def _hash_of(settings: dict[str, Any]) -> str:
    text = json.dumps(settings, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _about_file(path: Path) -> dict[str, Any]:
    size = path.stat().st_size if path.is_file() else None
    return {"path": str(path), "bytes": size, "sha256": file_hash(path) or None}


def _device(config: Config) -> dict[str, str]:
    from napari_semst.methods.run_device import run_device

    wanted = config.training.device
    try:
        chosen = run_device(config)
    except SemstError as error:
        return {"wanted": wanted, "name": "", "reason": str(error)}
    return {"wanted": wanted, "name": chosen.name, "reason": chosen.reason}


def _machine() -> dict[str, Any]:
    import psutil

    return {
        "name": platform.node(),
        "system": platform.platform(),
        "cores": os.cpu_count(),
        "memory_mb": round(psutil.virtual_memory().total / 1e6),
    }


def _memory() -> dict[str, float | None]:
    import psutil

    held = round(psutil.Process().memory_info().rss / 1e6, 1)
    return {"rss_mb": held, "peak_rss_mb": peak_memory_mb()}


def _signal_of(error: BaseException | None) -> str | None:
    """Return the signal that ended the run: shells end 128 and its number then."""
    if isinstance(error, KeyboardInterrupt):
        return "SIGINT"
    code = error.code if isinstance(error, SystemExit) else None
    if not isinstance(code, int) or code <= 128:
        return None
    try:
        return signal.Signals(code - 128).name
    except ValueError:
        return None
