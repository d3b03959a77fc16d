"""A folder with the states of a run's trainings, from which a killed run goes on."""

from __future__ import annotations

import hashlib
import json
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_semst.errors import SaveError
from napari_semst.io.export.atomic import write_atomically
from napari_semst.io.export.temporaries import remove_dead_temporaries

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray
    from torch import Tensor

    from napari_semst.config import Config
    from napari_semst.core.device import DeviceChoice
    from napari_semst.core.state_store import State
    from napari_semst.prepare.section import Section
    from napari_semst.semantics.spot_vectors import SpotSemantics

# Seconds between two states, and from the last one to the end of a training.
EVERY_SECONDS, LEAST_SECONDS = 60.0, 10.0
# Keeping states may take this share of the time at most.
_SHARE = 0.01
_SUFFIX = ".training.safetensors"
_SHOWN = 3
_DIGITS = 12


class CheckpointFolder:
    """States of a run's trainings in a folder, written whole or not at all.

    Files begin with a hash of what the run is, so that runs never read each other's.

    Parameters
    ----------
    folder
        Made when the first state is written, and gone when the result is there.
    every
        Seconds between two states at least, a minute where `None`; 0 keeps every
        epoch.
    tell
        Called with ``written``, ``read`` or ``refused``, and facts of it.
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        every: float | None = None,
        tell: Callable[[str, dict[str, Any]], None] | None = None,
    ) -> None:
        self.folder = Path(folder).expanduser().absolute()
        self._every = EVERY_SECONDS if every is None else every
        self.tell = tell or _nobody
        self._identity: dict[str, Any] = {}
        self._wait(0.0)

    def begin(self, identity: Mapping[str, object]) -> list[str]:
        """Say what run this is; return why states that lie there are not of it."""
        self._identity = json.loads(json.dumps(identity))
        self._wait(0.0)
        if self._own():
            return []
        said = []
        for file in sorted(self.folder.glob(f"*{_SUFFIX}"))[:_SHOWN]:
            try:
                other = _facts(file)["identity"]
            except _damage():
                continue
            why = "; ".join(_differences(other, self._identity)) or "unknown reasons"
            self.tell("refused", {"path": str(file), "reason": why})
            said.append(
                f"The checkpoint {file} is of another run and is not used: {why}. "
                "Training starts afresh. Remove the file if that run is not to go on."
            )
        return said

    def due(self, *, finished: bool) -> bool:
        """Return whether enough was done since the last time to be kept now."""
        return time.monotonic() >= (self._next_end if finished else self._next)

    def write(self, name: str, state: Mapping[str, Tensor]) -> str:
        """Keep a state; return what went wrong, or an empty text."""
        started = time.monotonic()
        file, failure = self._file(name), ""
        facts = {"identity": self._identity, "name": name}
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            _write(file, dict(state), facts)
        except (OSError, SaveError) as error:
            failure = (
                f"No checkpoint could be written: {error} The run goes on; if it is "
                "killed, it starts afresh."
            )
        seconds = time.monotonic() - started
        self._wait(seconds)
        if not failure:
            size = file.stat().st_size
            told = {"path": str(file), "bytes": size, "seconds": round(seconds, 3)}
            self.tell("written", {**told, "epoch": int(state["epochs"])})
        return failure

    def read(self, name: str) -> tuple[State | None, str]:
        """Return a state, `None` for none; and a word where it is damaged."""
        file = self._file(name)
        if not file.exists():
            return None, ""
        try:
            state = _read(file)
        except _damage() as error:
            why = " ".join(str(error).split())[:200]
            self.tell("refused", {"path": str(file), "reason": f"damaged: {why}"})
            return None, (
                f"The checkpoint {file} is damaged ({why}): training starts afresh."
            )
        self.tell("read", {"path": str(file), "epoch": int(state["epochs"])})
        return state, ""

    def remove(self) -> None:
        """Remove this run's states, and the folder where it is empty then."""
        for file in self._own():
            with suppress(OSError):
                file.unlink()
        remove_dead_temporaries(self.folder)
        with suppress(OSError):
            self.folder.rmdir()

    def _wait(self, seconds: float) -> None:
        now = time.monotonic()
        rest = seconds / _SHARE if self._every else 0.0
        self._next = now + max(self._every, rest)
        self._next_end = now + min(max(LEAST_SECONDS, rest), self._every)

    def _own(self) -> list[Path]:
        return sorted(self.folder.glob(f"{self._digest()}.*{_SUFFIX}"))

    def _file(self, name: str) -> Path:
        return self.folder / f"{self._digest()}.{name}{_SUFFIX}"

    def _digest(self) -> str:
        text = json.dumps(self._identity, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]


def run_identity(
    config: Config,
    section: Section,
    embedding: SpotSemantics | None,
    device: DeviceChoice,
) -> dict[str, Any]:
    """Return everything that decides what is learnt, as plain values.

    Parameters
    ----------
    embedding
        Semantics of the spots, or `None`.
    """
    from napari_semst.pipeline.provenance import section_hash, versions

    seen, weights = section.morphology, config.model.weights
    image = (None, None) if seen is None else (seen.features, seen.usable)
    return {
        "input": section_hash(section),
        "sections": _hashed(section.sections.codes),
        "semantics": _hashed(embedding),
        "image": [_hashed(values) for values in image],
        "weights": file_hash(Path(weights).expanduser()) if weights else "",
        "settings": config.to_dict(),
        "seed": config.training.seed,
        "versions": versions(),
        "device": _device(device),
    }


def _hashed(values: NDArray[Any] | SpotSemantics | None) -> str:
    from napari_semst.pipeline.content import array_hash

    return "" if values is None else array_hash(values)


def file_hash(file: Path) -> str:
    """Return the SHA-256 of a file; empty where it cannot be read."""
    try:
        with file.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest()
    except OSError:
        return ""


def _device(device: DeviceChoice) -> str:
    import platform

    if not device.name.startswith("cuda"):
        return f"{device.name}, {platform.machine()}"
    import torch

    return str(torch.cuda.get_device_name(device.torch()))


def _differences(other: Mapping[str, Any], own: Mapping[str, Any]) -> list[str]:
    """Return in words what differs between two runs."""
    found = []
    for key, value in own.items():
        there = other.get(key)
        if there == value:
            continue
        if isinstance(value, dict) and isinstance(there, dict):
            found += [f"{key}: {text}" for text in _changed(there, value)]
        elif key in ("seed", "device"):
            found.append(f"{key}: {there} there, {value} now")
        else:
            found.append(f"{key}: others")
    return found


def _changed(other: Mapping[str, Any], own: Mapping[str, Any]) -> list[str]:
    texts = []
    for key in dict.fromkeys([*other, *own]):
        there, now = other.get(key), own.get(key)
        if isinstance(there, dict) and isinstance(now, dict):
            texts += [f"{key}.{text}" for text in _changed(there, now)]
        elif there != now:
            texts.append(f"{key} {there!r} there, {now!r} now")
    return texts


def _write(file: Path, state: State, facts: dict[str, Any]) -> None:
    from safetensors.torch import save_file

    text = json.dumps(facts)
    about = {"facts": text, "sha256": _checksum(state, text)}

    def check(written: Path) -> None:
        try:
            _read(written)
        except _damage() as error:
            raise SaveError(f"{file.name} did not read back: {error}.") from error

    write_atomically(
        file,
        lambda place: save_file(state, place, about),
        check,
        overwrite=True,
        suffix=file.suffix,
        least_free=sum(v.nbytes for v in state.values()) + len(text),
    )


def _read(file: Path) -> State:
    """Return the tensors of a file, or raise one of `_damage`."""
    from safetensors import safe_open

    with safe_open(file, framework="pt") as held:
        about = held.metadata() or {}
        # A view of the file would change with it.
        state = {name: held.get_tensor(name).clone() for name in held.keys()}  # noqa: SIM118
    if about.get("sha256") != _checksum(state, about.get("facts", "")):
        raise ValueError("its checksum differs")
    return state


def _facts(file: Path) -> dict[str, Any]:
    from safetensors import safe_open

    with safe_open(file, framework="pt") as held:
        facts: Any = json.loads((held.metadata() or {})["facts"])
    if not isinstance(facts, dict) or not isinstance(facts.get("identity"), dict):
        raise ValueError("it does not tell its run")
    return facts


def _checksum(state: Mapping[str, Tensor], facts: str) -> str:
    import torch

    digest = hashlib.sha256(facts.encode())
    for name in sorted(state):
        value = state[name].contiguous()
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        digest.update(value.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _damage() -> tuple[type[Exception], ...]:
    from safetensors import SafetensorError

    return (ValueError, KeyError, OSError, SafetensorError)


def _nobody(_: str, __: dict[str, Any]) -> None:
    """Listen to nothing."""
