"""Ways to bring a semantic embedding into spatial features, with one interface."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor, nn

from napari_semst.nn.semantic_modulation import FSM, Fused, Modulation

if TYPE_CHECKING:
    from collections.abc import Iterator

# Pieces of a spot's semantic vector that cross-attention chooses among.
_TOKENS = 8


class Fusion(Protocol):
    """What fuses semantics into features; a module of torch."""

    def fuse(self, features: Tensor, semantics: Tensor) -> Fused:
        """Return the fused features, and what was done to them.

        Parameters
        ----------
        features
            Shape ``(n_spots, width)``.
        semantics
            Semantic embedding, ``(n_spots, semantic_width)``.
        """
        ...

    def parameters(self, recurse: bool = True) -> Iterator[nn.Parameter]:
        """Yield what is learnt."""
        ...


class Concatenation(nn.Module):
    """Set the reduced embedding beside the features, and map both back: ``[Z|S] W``.

    Source: SemST, table 2, "Concat". The map back keeps the width, and with it all
    that reads the features.

    Parameters
    ----------
    width, semantic_width
        Of features and embedding.
    reduced
        Width that the embedding is reduced to.
    silent
        Start as the features alone.

    Shapes
    ------
    input ``(n_spots, width)``; output the same.
    """

    def __init__(
        self, width: int, semantic_width: int, reduced: int, *, silent: bool
    ) -> None:
        super().__init__()
        self.head = _head(semantic_width, reduced)
        self.mix = nn.Linear(width + reduced, width)
        if silent:
            with torch.no_grad():
                self.mix.weight.copy_(torch.eye(width, width + reduced))
                self.mix.bias.zero_()

    def fuse(self, features: Tensor, semantics: Tensor) -> Fused:
        """Return the features as mixed with the embedding."""
        mixed = self.mix(torch.cat([features, self.head(semantics)], dim=1))
        return _added(features, mixed)


class Addition(nn.Module):
    """Add the embedding, brought to the features' width: ``Z + f(S)``.

    Source: SemST, table 2, "Add". Parameters and shapes are those of `Concatenation`.
    """

    def __init__(
        self, width: int, semantic_width: int, reduced: int, *, silent: bool
    ) -> None:
        super().__init__()
        self.head = _head(semantic_width, reduced)
        self.out = nn.Linear(reduced, width)
        _silence(self.out, silent)

    def fuse(self, features: Tensor, semantics: Tensor) -> Fused:
        """Return the features with the embedding added."""
        return _added(features, features + self.out(torch.relu(self.head(semantics))))


class CrossAttention(nn.Module):
    """Let each spot's features attend to pieces of its semantic vector.

    Source: SemST, table 2, "Cross-Attention", which does not say what attends to what.
    Attention over other spots would be a matrix of spots by spots: here the vector is
    mapped to eight tokens, the features ask, and what they read is added to them.
    Parameters and shapes are those of `Concatenation`.
    """

    def __init__(
        self, width: int, semantic_width: int, reduced: int, *, silent: bool
    ) -> None:
        super().__init__()
        self.reduced = reduced
        self.tokens = nn.Linear(semantic_width, _TOKENS * reduced)
        self.query = nn.Linear(width, reduced)
        self.key = nn.Linear(reduced, reduced)
        self.value = nn.Linear(reduced, reduced)
        self.out = nn.Linear(reduced, width)
        _silence(self.out, silent)

    def fuse(self, features: Tensor, semantics: Tensor) -> Fused:
        """Return the features with what they attend to added."""
        tokens = self.tokens(semantics).view(-1, _TOKENS, self.reduced)
        asked = self.query(features)[:, None]
        match = (asked * self.key(tokens)).sum(-1) / math.sqrt(self.reduced)
        weights = torch.softmax(match, dim=1)
        read = (weights[..., None] * self.value(tokens)).sum(1)
        return _added(features, features + self.out(read))


def make_fusion(
    kind: str,
    width: int,
    semantic_width: int,
    *,
    reduced: int | None = None,
    ratio: float = 1.2,
    silent: bool = True,
) -> FSM | Concatenation | Addition | CrossAttention:
    """Return a fusion of the kind that ``model.fusion`` names.

    Parameters
    ----------
    kind
        ``fsm``, ``concatenation``, ``addition`` or ``cross-attention``.
    width, semantic_width
        Of features and embedding.
    reduced
        Width that the embedding is reduced to; ``width`` where `None`.
    ratio
        Width of FSM's hidden layer over ``reduced``.
    silent
        Start without any effect on the features.
    """
    reduced = width if reduced is None else reduced
    if kind == "fsm":
        return FSM(width, semantic_width, reduced=reduced, ratio=ratio, silent=silent)
    if kind == "concatenation":
        return Concatenation(width, semantic_width, reduced, silent=silent)
    if kind == "addition":
        return Addition(width, semantic_width, reduced, silent=silent)
    if kind == "cross-attention":
        return CrossAttention(width, semantic_width, reduced, silent=silent)
    raise ValueError(f"no fusion is called {kind!r}")


def _head(semantic_width: int, reduced: int) -> nn.Sequential:
    middle = max(semantic_width // 2, 1)
    return nn.Sequential(
        nn.Linear(semantic_width, middle), nn.ReLU(), nn.Linear(middle, reduced)
    )


def _silence(layer: nn.Linear, silent: bool) -> None:
    if silent:
        nn.init.zeros_(layer.weight)
        nn.init.zeros_(layer.bias)


def _added(before: Tensor, after: Tensor) -> Fused:
    return Fused(after, Modulation(torch.zeros_like(before), after - before))
