"""The best epoch by the annotation: what no run without one can know.

Published figures are often of it. It is told apart from results, in columns that are
named so, and only where it is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_semst.core.progress import LatentNow, RunControl, passed_on

if TYPE_CHECKING:
    from collections.abc import Generator

    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from napari_semst.core.progress import Progress, Returned


class EveryEpochs(RunControl):
    """Asks for the latent of every so many epochs, not averaged over neighbours.

    Parameters
    ----------
    control
        Cancels.
    every
        Epochs between two looks.
    """

    def __init__(self, control: RunControl, every: int) -> None:
        super().__init__(control.states)
        self._cancel, self._stop = control._cancel, control._stop
        self._every, self._epochs = every, 0

    def snapshot(self, at: LatentNow) -> NDArray[np.float32] | None:
        """Return the latent of this epoch if it is one that is looked at."""
        self._epochs += 1
        return None if self._epochs % self._every else at(averaged=False)


class BestEpoch:
    """The epoch whose k-means fits the annotation best.

    Parameters
    ----------
    truth
        Annotation of each spot.
    k, n_starts, seed
        Of the k-means.
    """

    def __init__(self, truth: pd.Series[Any], k: int, n_starts: int, seed: int) -> None:
        self._truth, self._k = truth, k
        self._starts, self._seed = n_starts, seed
        self.found: dict[str, float] | None = None

    def watching(
        self, steps: Generator[Progress, None, Returned], control: RunControl
    ) -> Generator[Progress, None, Returned]:
        """Pass the events of a training on, and score the latents that they bring."""

        def look(event: Progress) -> Progress:
            if event.latent is not None:
                self._score(event.latent, event.step, control)
            return event

        return passed_on(steps, look)

    def _score(
        self, latent: NDArray[np.float32], epoch: int, control: RunControl
    ) -> None:
        from napari_semst.core.progress import run_to_end
        from napari_semst.domains.cluster_methods import k_means_of_latent
        from napari_semst.domains.metrics import truth_scores

        labels = run_to_end(
            k_means_of_latent(latent, self._k, self._starts, self._seed, control)
        )
        ari = truth_scores(labels, self._truth)["ari"]
        if self.found is None or ari > self.found["ari"]:
            self.found = {"ari": round(ari, 6), "epoch": epoch}
