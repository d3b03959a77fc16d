"""Several processes that train one network together."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_semst.errors import ConfigError, DeviceError, ShareDone

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch
    from torch import Tensor

# Set by torchrun.
_SIZE, _RANK, _LOCAL_RANK = "WORLD_SIZE", "RANK", "LOCAL_RANK"


@dataclass(frozen=True, slots=True)
class Group:
    """The processes that train together.

    Parameters
    ----------
    rank
        Place of this process; 0 also reads out and saves.
    """

    rank: int = 0
    size: int = 1

    def own(self, n_parts: int) -> range:
        """Return which parts of a step this process computes."""
        return range(self.rank, n_parts, self.size)

    def check_same(self, fingerprint: float, device: torch.device) -> None:
        """Raise `DeviceError` unless all processes hold the same problem.

        Parameters
        ----------
        fingerprint
            A number made of everything that training reads.
        """
        import torch

        if self.size == 1:
            return
        own = torch.tensor([fingerprint], dtype=torch.float64, device=device)
        every = [torch.empty_like(own) for _ in range(self.size)]
        torch.distributed.all_gather(every, own)
        if any(other.item() != every[0].item() for other in every):
            raise DeviceError(
                "Expected the same section, settings and graphs in every process; they "
                "differ. Start all with the same command, file and versions, on "
                "machines of one kind."
            )

    def from_first(self, data: bytes) -> bytes:
        """Return the bytes that the first process holds; those of others are not read.

        Parameters
        ----------
        data
            What this process holds.
        """
        import numpy as np
        import torch

        if self.size == 1:
            return data
        size = torch.tensor([len(data)], dtype=torch.int64)
        torch.distributed.broadcast(size, 0)
        held = torch.zeros(int(size), dtype=torch.uint8)
        if self.rank == 0 and data:
            held = torch.from_numpy(np.frombuffer(data, np.uint8).copy())
        torch.distributed.broadcast(held, 0)
        return held.numpy().tobytes()

    def ordered_sum(self, own: Tensor, n_parts: int) -> Tensor:
        """Return the sum over parts, in their order whoever computed them.

        Floating-point sums depend on the order: kept, any number of processes gives
        the same bits as one.

        Parameters
        ----------
        own
            One row for each part of this process, ``(n_own_parts, width)``.
        """
        import torch

        rows = [own]
        if self.size > 1:
            most = -(-n_parts // self.size)
            padded = own.new_zeros((most, own.shape[1]))
            padded[: len(own)] = own
            rows = [torch.empty_like(padded) for _ in range(self.size)]
            torch.distributed.all_gather(rows, padded)
        total = torch.zeros_like(rows[0][0])
        for part in range(n_parts):
            total += rows[part % self.size][part // self.size]
        return total


# What `joined_group` joined. A user's own torch.distributed group is none of ours.
_joined: list[Group] = []


def current_group() -> Group:
    """Return the processes that train together now: usually this one alone."""
    return _joined[-1] if _joined else Group()


def launched_processes() -> int:
    """Return how many processes torchrun started, 1 without it."""
    return int(os.environ.get(_SIZE, "1") or 1)


def refuse_cohorts() -> None:
    """Raise `ConfigError` for many sections under torchrun, which trains one."""
    if launched_processes() > 1:
        raise ConfigError(
            "Expected one section under torchrun, whose processes train it together; "
            "got several, or --output-dir or --dask. Run many sections without "
            "torchrun: with --dask they are spread over machines."
        )


def follows() -> bool:
    """Return whether another of the processes reports and saves."""
    return launched_processes() > 1 and int(os.environ.get(_RANK, "0") or 0) > 0


def local_rank() -> int:
    """Return the place of this process on its machine, which is its GPU's index."""
    return int(os.environ.get(_LOCAL_RANK, "0") or 0)


@contextmanager
def joined_group() -> Iterator[Group]:
    """Join the processes that torchrun started; without it there is one.

    Raises
    ------
    DeviceError
        If this torch cannot join processes, or they do not find each other.
    """
    if launched_processes() < 2:
        yield Group()
        return
    import torch

    if not torch.distributed.is_available():
        raise DeviceError(
            "Expected a torch with torch.distributed for several processes; this one "
            "has none. Start without torchrun, or install another build of torch."
        )
    # What is on the CPU goes over gloo also where there are GPUs.
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    try:
        torch.distributed.init_process_group(backend)
    except (RuntimeError, ValueError) as error:
        raise DeviceError(
            f"Expected to join {launched_processes()} processes over {backend}; it "
            f"failed: {error}. Start them with torchrun, all with the same command."
        ) from error
    group = Group(torch.distributed.get_rank(), torch.distributed.get_world_size())
    _joined.append(group)
    try:
        yield group
    except ShareDone:
        # The process is about to end (the command line sees to it): torn down here, the
        # group's threads now and then aborted it.
        raise
    except BaseException:
        torch.distributed.destroy_process_group()
        raise
    else:
        torch.distributed.destroy_process_group()
    finally:
        _joined.remove(group)
