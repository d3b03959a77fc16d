"""Counts that hosts reconstruct as a zero-inflated negative binomial."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

    from napari_semst.methods.hosts.base import HostData, HostStep
    from napari_semst.nn.zinb.decoder import ZinbDecoder


def counts_loss(
    decoder: ZinbDecoder,
    hidden: Tensor,
    data: HostData,
    step: HostStep,
    log_factor: Tensor | None = None,
) -> Tensor:
    """Return the ZINB loss of ``training.decoded_spots`` spots, drawn anew; 0: of all.

    Parameters
    ----------
    hidden
        What the decoder reads, ``(n_spots, width)``.
    log_factor
        Added to the log of each spot's mean, ``(n_spots,)``.
    """
    assert data.counts is not None, "the host reads counts"
    prior, wanted = (
        step.config.model.weight_dropout_prior,
        step.config.training.decoded_spots,
    )
    if not wanted or wanted >= data.n_spots:
        target = data.counts.whole()
        return decoder.loss(hidden, target, prior, log_factor=log_factor)
    spots = torch.randperm(data.n_spots, device=hidden.device)[:wanted].sort().values
    factor = None if log_factor is None else log_factor[spots]
    target = data.counts.some(spots)
    return decoder.loss(hidden[spots], target, prior, log_factor=factor)
