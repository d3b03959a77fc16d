"""Gaussian mixtures whose components have covariances of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_semst.core.progress import Progress
from napari_semst.core.threads import keep_limits
from napari_semst.domains.mixture import (
    LONG_STEPS,
    SHORT_STEPS,
    TOLERANCE,
    alike_spots_allowed,
)

if TYPE_CHECKING:
    from collections.abc import Generator

    import numpy as np
    from numpy.typing import NDArray

    from napari_semst.core.progress import RunControl

# A domain's own covariance has few spots to stand on.
_RIDGE = 1e-3


def fit_full(
    points: NDArray[np.float64],
    n_components: int,
    n_starts: int,
    random: np.random.Generator,
    control: RunControl,
) -> Generator[Progress, None, Any]:
    """Return the likeliest mixture whose components have covariances of their own.

    Short runs from many k-means starts, the best carried on, as `fit_many_starts`.

    Parameters
    ----------
    points
        Shape ``(n_spots, width)``, as `scaled` returns them: the ridge of 0.001 that
        is added to every covariance is in these units.

    Returns
    -------
    mixture
        scikit-learn's ``GaussianMixture``, whose ``predict`` labels any spots.
    """
    from sklearn.mixture import GaussianMixture

    keep_limits()
    message = "Gaussian mixture, full covariances"
    best = None
    for start in range(n_starts):
        control.check()
        yield Progress("assign", start, n_starts, message)
        mixture = GaussianMixture(
            n_components,
            covariance_type="full",
            tol=0.0,
            reg_covar=_RIDGE,
            max_iter=SHORT_STEPS,
            random_state=int(random.integers(2**31)),
            warm_start=True,
        )
        with alike_spots_allowed():
            mixture.fit(points)
        if best is None or mixture.lower_bound_ > best.lower_bound_:
            best = mixture
    assert best is not None, "at least one start"
    control.check()
    best.set_params(max_iter=LONG_STEPS, tol=TOLERANCE)
    with alike_spots_allowed():
        return best.fit(points)
