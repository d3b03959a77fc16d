"""A model of domains that labels other sections, and the file it is kept in.

One safetensors file: arrays, and JSON under one name of its header. Nothing in it is
run when it is read.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from napari_semst.config import Config
from napari_semst.core.json_text import parse_json
from napari_semst.domains.consensus import ConsensusMember
from napari_semst.domains.mixture import Mixture, Standardizer
from napari_semst.errors import ConfigError, InputError, SaveError, SemstError
from napari_semst.io.checks import translate_errors
from napari_semst.prepare.components import ExpressionAxes
from napari_semst.wording import Way, Worded

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from napari_semst.semantics.spot_vectors import SpotSemantics

    Arrays = Mapping[str, NDArray[Any]]

SUFFIX = ".safetensors"
# Raised when a file written before can no longer be read alike.
FORMAT = 1
_HEADER = "napari-semst model"
_CHECKSUM = "sha256"
# Of any run there are a few; a file that asks for more would be waited for for ever.
_MOST_ROUNDS = 1000
_MAKE_ONE = Way(
    f"Make one with `semst run ... --save-model FILE{SUFFIX}`.",
    "Make one with save_model.",
    "Models are made by the command line, or in Python.",
)
# As files have it.
_PARAMETERS = "learnt."
_MODULATION = "network.modulation."
_MIXTURE = ("white", "centres", "weight")


class Extremes(NamedTuple):
    """The spots that lie farthest apart in each dimension of an embedding.

    Parameters
    ----------
    low, high
        The spots, each ``(n_dimensions,)``.
    least, most
        Their values there.
    """

    low: NDArray[np.intp]
    high: NDArray[np.intp]
    least: NDArray[np.floating[Any]]
    most: NDArray[np.floating[Any]]

    @classmethod
    def of(cls, embedding: NDArray[np.floating[Any]]) -> Extremes:
        """Return those of an embedding ``(n_spots, n_dimensions)``."""
        column = np.arange(embedding.shape[1])
        low, high = embedding.argmin(axis=0), embedding.argmax(axis=0)
        return cls(low, high, embedding[low, column], embedding[high, column])


class Standard(NamedTuple):
    """How the semantic embedding of the section learnt from was standardised.

    Parameters
    ----------
    mean, factor
        Subtracted from each dimension, and what the rest is multiplied by; both
        ``(n_dimensions,)``.
    """

    mean: NDArray[np.float64]
    factor: NDArray[np.float64]

    @classmethod
    def between(cls, before: Extremes, after: SpotSemantics) -> Standard:
        """Return what took an embedding to its standardised form.

        Parameters
        ----------
        before
            The spots that lie farthest apart in each dimension.
        after
            The standardised form of all spots.
        """
        low, high = before.low, before.high
        column = np.arange(len(low))
        first = before.least.astype(np.float64)
        apart = before.most - first
        lowest, highest = after[low][column, column], after[high][column, column]
        moved = highest.astype(np.float64) - lowest
        factor = np.divide(moved, apart, out=np.zeros_like(moved), where=apart > 0)
        start = lowest.astype(np.float64)
        shift = np.divide(start, factor, out=np.zeros_like(start), where=factor != 0)
        return cls(first - shift, factor)

    def transform(self, embedding: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
        """Return another section's embedding, standardised alike."""
        result = np.array(embedding, dtype=np.float32)
        result -= self.mean.astype(np.float32)
        result *= self.factor.astype(np.float32)
        return result


@dataclass(frozen=True)
class DomainModel:
    """What labels a new section as an earlier one was labelled, without training.

    Parameters
    ----------
    genes
        Symbols of the genes that are read, in order.
    rounds
        How often components are averaged over neighbours.
    members
        Members of the consensus that vote, their domains in the order of the names.
    parameters
        What the method learnt (`napari_semst.methods.base.Fit.parameters`).
    standard
        How the semantic embedding is standardised; `None` without.
    deviation
        Deviation of every gene, ``(n_genes,)``, by which the genes of a spot are
        ranked; `None` where they are not.
    facts
        Plain values for people: version, section it was made from, semantics.
    has_checksum
        Whether its file has one; the first files had none.
    """

    config: Config
    genes: NDArray[np.str_]
    names: tuple[str, ...]
    colors: tuple[str, ...]
    rounds: int
    members: tuple[ConsensusMember, ...]
    parameters: Arrays
    standard: Standard | None = None
    deviation: NDArray[np.float64] | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    has_checksum: bool = True

    def to_bytes(self) -> bytes:
        """Return the file's content; equal models give equal bytes."""
        from safetensors.numpy import save

        arrays = {
            _PARAMETERS + name: values for name, values in self.parameters.items()
        }
        if self.standard is not None:
            arrays.update(_prefixed("semantics.", self.standard._asdict()))
        if self.deviation is not None:
            arrays["deviation"] = self.deviation
        for number, member in enumerate(self.members):
            parts = {name: getattr(member.mixture, name) for name in _MIXTURE}
            parts["unit_centre"] = member.units.centre
            parts["unit_size"] = np.array([member.units.size])
            arrays.update(_prefixed(f"voter.{number}.", parts))
        record = {
            "format": FORMAT,
            "config": self.config.to_dict(),
            "genes": self.genes.tolist(),
            "names": list(self.names),
            "colors": list(self.colors),
            "rounds": self.rounds,
            "voters": [[member.view, member.rounds] for member in self.members],
            "facts": self.facts,
        }
        # Strided arrays would be written in the order of their memory.
        whole = {name: np.ascontiguousarray(arrays[name]) for name in sorted(arrays)}
        if self.has_checksum:
            record[_CHECKSUM] = _checksum(record, whole)
        # In one entry: several are written in any order.
        return bytes(save(whole, {_HEADER: json.dumps(record, sort_keys=True)}))

    @property
    def reads_semantics(self) -> bool:
        """Whether the network is modulated by what genes mean."""
        return any(name.startswith(_MODULATION) for name in self.parameters)

    @property
    def fingerprint(self) -> str:
        """The SHA-256 of the model's file."""
        return hashlib.sha256(self.to_bytes()).hexdigest()


def check_savable(config: Config) -> None:
    """Refuse settings whose result cannot label other sections.

    Raises
    ------
    ConfigError
        If there is no consensus of mixtures, or the method's inputs belong to one
        section alone.
    """
    from napari_semst.methods.spec import method_spec

    why, spec = "", method_spec(config.model.method)
    if config.domains.readout != "consensus":
        why = f"the readout {config.domains.readout!r}"
    elif not spec.transfer:
        why = (
            f"the method {config.model.method!r}, which says of other sections nothing"
        )
    elif reason := spec.not_transferable(config):
        why = reason
    elif config.model.morphology != "none":
        why = f"model.morphology {config.model.morphology!r}"
    elif config.domains.n_domains == 1:
        why = "a single domain"
    if why:
        raise ConfigError(
            "Expected a run by the consensus, of the default recipe or quick, for a "
            f"model that labels other sections; got {why}. Choose the preset default "
            "or quick and the readout consensus, or save no model."
        )


def save_model(
    model: DomainModel | None, path: str | Path, *, overwrite: bool = False
) -> Path:
    """Write a model, and read it back before it takes its place.

    Parameters
    ----------
    model
        ``DomainResult.model`` of a run.
    path
        Where to, ending in ``.safetensors``.
    overwrite
        Whether a file that stands there may be replaced.

    Raises
    ------
    SaveError
        If the run has no model, or the place cannot be written.
    """
    from napari_semst.io.export.atomic import write_atomically

    if model is None:
        raise SaveError(
            "Expected a run with a model; it has none. The default recipe and quick, "
            "read out by the consensus, have one."
        )
    content = model.to_bytes()

    def write(temporary: Path) -> None:
        temporary.write_bytes(content)

    def check(temporary: Path) -> None:
        if load_model(temporary).to_bytes() != content:
            raise SaveError(
                f"Expected the model to read back the same from {path}; it did not. "
                "Nothing was changed; save again."
            )

    return write_atomically(
        path,
        write,
        check,
        overwrite=overwrite,
        suffix=SUFFIX,
        least_free=2 * len(content),
    )


def load_model(path: str | Path) -> DomainModel:
    """Read a model that `save_model` wrote.

    Raises
    ------
    InputError
        If there is no such file, it is damaged, holds something else, or was written
        by a newer version.
    """
    file = Path(path).expanduser()
    if not file.is_file():
        raise InputError(
            Worded(f"Expected a model file at {file}; found none. ", _MAKE_ONE)
        )
    record, arrays = _opened(file)
    with translate_errors(file, "a whole model", _misfit):
        try:
            return _model(record, arrays)
        except SemstError as error:
            # Of a setting, say, without the file.
            raise InputError(_misfit(file, "a whole model", error)) from error


def _misfit(file: Path, what: str, error: BaseException) -> str:
    return (
        f"Expected {what} in {file}; a part is missing or does not fit "
        f"({type(error).__name__}: {error}). Save the model again."
    )


def _opened(place: Path) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Return what a model's file tells, and its arrays."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(place, "np") as file:
            text = (file.metadata() or {}).get(_HEADER)
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        record = None if text is None else parse_json(text)
    except (SafetensorError, OSError, ValueError) as error:
        raise InputError(
            f"Expected a model file ({SUFFIX}) in {place}; it could not be read "
            f"({error}). It may be damaged or of another kind: copy it again."
        ) from error
    if not isinstance(record, dict) or not isinstance(record.get("format"), int):
        raise InputError(
            Worded(
                f"Expected a model of domains in {place}; found another safetensors "
                "file. ",
                _MAKE_ONE,
            )
        )
    if record["format"] > FORMAT:
        raise InputError(
            f"Expected a model of format {FORMAT} or older in {place}; found format "
            f"{record['format']}, of a newer version. Upgrade napari-semst."
        )
    told = record.pop(_CHECKSUM, None)
    if told is not None and told != _checksum(record, arrays):
        raise InputError(
            f"Expected the model in {place} as it was saved; its content has changed "
            "since (the checksum differs). Copy it again, or save the model again."
        )
    return record | {_CHECKSUM: told}, arrays


def _checksum(record: Mapping[str, Any], arrays: Arrays) -> str:
    """Return the SHA-256 of all that a file holds."""
    digest = hashlib.sha256(json.dumps(record, sort_keys=True).encode())
    for name in sorted(arrays):
        values = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {values.dtype} {values.shape}".encode())
        digest.update(values.tobytes())
    return digest.hexdigest()


def _model(record: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> DomainModel:
    """Return the model of a file's content, its parts checked against each other."""
    stages = dict(record["config"])
    config = Config(preset=str(stages.pop("preset"))).with_overrides(stages)
    parameters = {
        name.removeprefix(_PARAMETERS): values
        for name, values in arrays.items()
        if name.startswith(_PARAMETERS)
    }
    standard = None
    if "semantics.mean" in arrays:
        standard = Standard(arrays["semantics.mean"], arrays["semantics.factor"])
    model = DomainModel(
        config,
        np.array(record["genes"], dtype=str),
        tuple(map(str, record["names"])),
        tuple(map(str, record["colors"])),
        int(record["rounds"]),
        tuple(_member(arrays, n, *known) for n, known in enumerate(record["voters"])),
        parameters,
        standard,
        arrays.get("deviation"),
        dict(record["facts"]),
        record[_CHECKSUM] is not None,
    )
    _check(model, arrays)
    return model


def _member(arrays: Arrays, place: int, view: int, rounds: int) -> ConsensusMember:
    start = f"voter.{place}."
    parts = {name: arrays[start + name] for name in _MIXTURE}
    none = np.zeros((0, len(parts["weight"])))
    units = Standardizer(
        arrays[f"{start}unit_centre"], float(arrays[f"{start}unit_size"][0])
    )
    return ConsensusMember(int(view), int(rounds), units, Mixture(none, 0.0, **parts))


def _check(model: DomainModel, arrays: Arrays) -> None:
    """Refuse parts that do not fit each other; whole files always do."""
    from napari_semst.methods.spec import method_spec

    if any(not np.isfinite(values).all() for values in arrays.values()):
        raise ValueError("values that are not finite")
    learnt = [values for name, values in arrays.items() if name != "deviation"]
    if not any(values.any() for values in learnt):
        raise ValueError("nothing but zeros")
    if len(set(model.names)) != len(model.names):
        raise ValueError("two domains of one name")
    if len(set(model.genes.tolist())) != len(model.genes):
        raise ValueError("two genes of one name")
    if not 0 <= model.rounds <= _MOST_ROUNDS:
        raise ValueError("the rounds of averaging")
    if not model.members or len(model.names) != len(model.colors):
        raise ValueError("members, names and colours of the domains")
    check_savable(model.config)
    spec = method_spec(model.config.model.method)
    n_genes, counts = len(model.genes), {len(v.mixture.weight) for v in model.members}
    if len(counts) != 1 or not 1 <= len(model.names) <= counts.pop():
        raise ValueError("the number of domains")
    for member in model.members:
        width, mixture = len(member.units.centre), member.mixture
        shapes = mixture.white.shape, mixture.centres.shape
        if shapes != ((width, width), (len(mixture.weight), width)):
            raise ValueError("the width of a member")
        if not 0 <= member.view < spec.n_views:
            raise ValueError("the view of a member")
        if not 0 <= member.rounds <= _MOST_ROUNDS:
            raise ValueError("the averaging of a member")
    known = ExpressionAxes.of_arrays(model.parameters)
    for axes in (known.root, known.logged):
        if axes.axes.shape != (n_genes, len(axes.offset)):
            raise ValueError("genes and axes")
    if not spec.parameters <= {*model.parameters}:
        raise ValueError("what the network is given")
    if model.deviation is not None and model.deviation.shape != (n_genes,):
        raise ValueError("genes and their deviation")


def _prefixed(start: str, arrays: Arrays) -> dict[str, NDArray[Any]]:
    return {start + name: values for name, values in arrays.items()}
