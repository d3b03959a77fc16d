"""What can be seen of a section before anything is described or learnt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_semst.core.device import memory_errors_explained
from napari_semst.core.progress import Progress, run_in_thread
from napari_semst.core.threads import threads_limited, threads_wanted
from napari_semst.methods.spec import method_spec
from napari_semst.prepare.components import smooth_over_neighbours

if TYPE_CHECKING:
    from collections.abc import Generator

    import numpy as np
    from numpy.typing import NDArray

    from napari_semst.config import Config
    from napari_semst.core.progress import RunControl
    from napari_semst.prepare.section import Section

# Components that are averaged, as for the quick recipe.
_WIDTH = 15


def first_look(
    section: Section, config: Config, control: RunControl
) -> Generator[Progress, None, None]:
    """Yield averaged components before a network learns, where looks are asked for.

    The method that follows reads the same components, which the section keeps: what
    is added is the average. Images and language models may take minutes after it.

    Raises
    ------
    Cancelled
        Between pieces of the work.
    """
    control.check()
    spec, seed = method_spec(config.model.method), config.training.seed
    if spec.networks == "none" or not control.watched:
        return
    # As many as the method has: components keep their last bits.
    threads = threads_wanted(section.n_spots, all_cores=spec.uses_all_cores(config))

    def averaged(_: object) -> NDArray[np.float32]:
        components = section.keep_components(seed)
        control.check()
        return smooth_over_neighbours(
            components.root[:, :_WIDTH], section.average, section.smoothing_rounds
        )

    with threads_limited(threads), memory_errors_explained():
        latent = yield from run_in_thread(
            "prepare", "Components for a first look", averaged, control
        )
    looked = control.snapshot(lambda **_: latent)
    if looked is not None:
        yield Progress("prepare", 0, 0, "A first look", latent=looked)
