"""How strongly semantics moved every spot."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

from napari_semst.core.chunks import chunks, spots_at_once
from napari_semst.methods.base import ModulationMap

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from napari_semst.nn.semantic_modulation import Modulation


_CHUNK_SPOTS = 16_384


class Modulated(Protocol):
    """What a network made of spots, so far as semantics is concerned."""

    @property
    def before(self) -> Tensor:
        """Features before modulation, ``(n_spots, width)``."""
        ...

    @property
    def modulation(self) -> Modulation | None:
        """Alpha and beta, or `None` without semantics."""
        ...


def modulation_map(encoded: Modulated) -> ModulationMap | None:
    """Return what semantics did to every spot, or `None` without semantics.

    Strengths are taken of alpha and beta less their means over the section: what is
    done to every spot alike is no more than a constant of the next layer, and says
    nothing of what a spot's genes mean.
    """
    if encoded.modulation is None:
        return None
    scale, shift = encoded.modulation
    means = scale.mean(0), shift.mean(0)
    features = encoded.before.square().mean().sqrt().clamp_min(1e-12)
    parts = []
    for part in chunks(len(scale), spots_at_once(_CHUNK_SPOTS)):
        own_scale, own_shift = scale[part] - means[0], shift[part] - means[1]
        parts.append(
            (
                _strength((own_scale * encoded.before[part] + own_shift) / features),
                _strength(own_scale),
                _strength(own_shift / features),
            )
        )
    strength, of_scale, of_shift = (
        np.concatenate(found) for found in zip(*parts, strict=True)
    )
    return ModulationMap(
        _array(scale),
        _array(shift),
        strength,
        of_scale,
        of_shift,
        before=_array(encoded.before),
    )


def mean_map(maps: Sequence[ModulationMap | None]) -> ModulationMap | None:
    """Return what semantics did in several networks: strengths in their mean.

    Alpha and beta are the first network's, for each has features of its own.
    """
    known = [one for one in maps if one is not None]
    if len(known) < 2:
        return known[0] if known else None
    strengths = {
        name: np.mean([getattr(one, name) for one in known], axis=0)
        for name in ("strength", "scale_strength", "shift_strength")
    }
    return replace(known[0], **strengths)


def _strength(values: Tensor) -> NDArray[np.float32]:
    """Return the root mean square over features of each spot."""
    return _array(values.square().mean(1).sqrt())


def _array(values: Tensor) -> NDArray[np.float32]:
    array: NDArray[np.float32] = values.detach().float().cpu().numpy()
    return array
