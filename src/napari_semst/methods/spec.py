"""What a method declares of itself, and the methods by name."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, cast

from napari_semst.config.method_registry import METHODS
from napari_semst.errors import ConfigError, one_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_semst.config import Config
    from napari_semst.config.settings import Overrides
    from napari_semst.methods.base import Method, Transfer


def _never(config: Config) -> bool:
    return False


@dataclass(frozen=True)
class MethodSpec:
    """What the pipeline, the shell and the docks need to know of a method.

    It is read before anything heavy is imported: functions that compute are named by
    ``module:function``.

    Parameters
    ----------
    name
        As settings have it.
    label, summary
        For people: a few words, and a sentence.
    fit
        Where its `Method` is.
    transfer
        Where its `Transfer` is; empty where nothing learnt says anything of another
        section.
    defaults
        Settings in which it differs from the project's recipe.
    semantics
        Whether it reads gene semantics.
    smooths_semantics
        Whether it averages them over neighbours by ``semantics.smoothing_rounds``.
    morphology
        Whether it reads the image where ``model.morphology`` asks for it.
    reads_image
        Whether it reads the image with these settings.
    discordance
        Whether it compares expression with the image.
    networks
        How many it trains: ``none``, ``one`` or an ``ensemble`` of any size.
    averages_latents, hears_checkpoints, published_weights
        Whether ``training.average_last``, ``training.checkpoints`` and
        ``model.weights`` mean something to it.
    uses_all_cores
        Whether a step with these settings is worth more than one thread.
    not_transferable
        Why a result of these settings cannot label other sections; empty where it can.
    counts_by_rows
        Whether with these settings it looks through counts some spots at a time, so
        that they may stay in their file.
    n_views
        Views that a model of it holds.
    parameters
        Arrays that a model of it must hold besides the axes of expression.
    training_seconds
        Seconds that it takes on the machine of docs/benchmarks.md, given the settings,
        the number of spots and of genes.
    training_bytes
        Memory that it takes beyond what any run holds, given the settings and the
        number of spots.
    """

    name: str
    label: str
    summary: str
    fit: str
    transfer: str = ""
    defaults: Overrides = field(default_factory=dict)
    semantics: bool = False
    smooths_semantics: bool = False
    morphology: bool = False
    reads_image: Callable[[Config], bool] = _never
    discordance: bool = False
    networks: Literal["none", "one", "ensemble"] = "none"
    averages_latents: bool = True
    hears_checkpoints: bool = True
    published_weights: bool = False
    uses_all_cores: Callable[[Config], bool] = _never
    not_transferable: Callable[[Config], str] = lambda config: ""
    counts_by_rows: Callable[[Config], bool] = _never
    n_views: int = 2
    parameters: frozenset[str] = frozenset()
    training_seconds: Callable[[Config, int, int], float] = lambda *_: 0.0
    training_bytes: Callable[[Config, int], float] = lambda *_: 0.0

    def load_fit(self) -> Method:
        """Import and return what learns from a section."""
        return cast("Method", _imported(self.fit))

    def load_transfer(self) -> Transfer:
        """Return what describes other sections, or raise `ConfigError`."""
        if not self.transfer:
            raise ConfigError(
                "Expected a method that says something of other sections; got "
                f"{self.name!r}. Choose {_with_transfer()}."
            )
        return cast("Transfer", _imported(self.transfer))


def method_spec(name: str) -> MethodSpec:
    """Return what the method of a name declares, or raise `ConfigError`."""
    if name not in METHODS:
        raise ConfigError(one_of("model.method", name, METHODS))
    return cast("MethodSpec", import_module(METHODS[name]).SPEC)


def _with_transfer() -> str:
    return " or ".join(name for name in METHODS if method_spec(name).transfer)


def _imported(place: str) -> Any:
    module, _, function = place.partition(":")
    return getattr(import_module(module), function)
