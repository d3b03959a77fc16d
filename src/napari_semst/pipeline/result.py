"""What a run returns, and how it is written into a tissue."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst import keys
from napari_semst.errors import ConfigError
from napari_semst.io.matrices import stored_matrices
from napari_semst.morphology.base import MOST_KEPT
from napari_semst.pipeline.evidence import evidence_of
from napari_semst.pipeline.provenance import EVIDENCE, spots_hash

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anndata import AnnData
    from numpy.typing import NDArray

    from napari_semst.methods.image_guided.discordance_result import Discordance
    from napari_semst.morphology.base import Morphology
    from napari_semst.pipeline.model import DomainModel


@dataclass(frozen=True)
class DomainResult:
    """The spatial domains of a section and what led to them.

    Parameters
    ----------
    codes
        Domain of each spot, ``0 .. n_domains - 1``, largest first.
    names
        Names of the domains.
    latent
        What was clustered, shape ``(n_spots, width)``.
    modulation, modulation_scale, modulation_shift
        How strongly semantics moved each spot apart from all others: the root mean
        square of the change of its features, of its alpha, and of its beta (see
        `napari_semst.methods.base.ModulationMap`); `None` without semantics.
    scale, shift
        Alpha and beta themselves, each ``(n_spots, width)``, or `None`.
    confidence
        How sure the label of a spot is, 0 to 1, or `None` where a run cannot tell.
    coverage
        Share of each spot's listed genes that the semantic source knows, or `None`.
    fine
        Fine domain of each spot, from which `napari_semst.domains.hierarchy` makes
        any smaller number of domains; `None` where there is no hierarchy.
    provenance
        Plain values: settings, seed, versions, device and why, losses, input hash,
        seconds per stage, warnings.
    colors
        Colours of the domains, ``#rrggbb``; those of `napari_semst.palette` where
        `None`.
    model
        Labels other sections alike, without training; `None` for results that have
        no model.
    morphology
        Features of the image around each spot, or `None`.
    discordance
        Where expression is not what the image predicts, or `None`.
    """

    codes: NDArray[np.int32]
    names: tuple[str, ...]
    latent: NDArray[np.float32]
    modulation: NDArray[np.float32] | None = None
    modulation_scale: NDArray[np.float32] | None = None
    modulation_shift: NDArray[np.float32] | None = None
    scale: NDArray[np.float32] | None = None
    shift: NDArray[np.float32] | None = None
    confidence: NDArray[np.float32] | None = None
    coverage: NDArray[np.float32] | None = None
    fine: NDArray[np.int32] | None = None
    provenance: dict[str, Any] = field(default_factory=dict)
    colors: tuple[str, ...] | None = None
    model: DomainModel | None = None
    morphology: Morphology | None = None
    discordance: Discordance | None = None

    @property
    def warnings(self) -> list[str]:
        """Sentences that users should read."""
        return list(self.provenance.get("warnings", ()))


def attach(
    tissue: AnnData,
    result: DomainResult,
    run: str = keys.DEFAULT_RUN,
    *,
    inplace: bool = False,
) -> AnnData:
    """Write a result into a tissue, under the keys of `napari_semst.keys`.

    Parameters
    ----------
    tissue
        The tissue the result was made from.
    result
        What `find_domains` returned.
    run
        Name of the run: its labels also stand in ``obs["semst_domain_<run>"]``.
    inplace
        Write into ``tissue`` itself instead of a copy.

    Returns
    -------
    tissue
        The copy, or ``tissue`` itself.

    Raises
    ------
    ConfigError
        If the run's name cannot be part of a column name, or the tissue has another
        number of spots.
    """
    keys.check_run_name(run)
    if tissue.n_obs != len(result.codes):
        raise ConfigError(
            f"Expected a tissue of {len(result.codes)} spots, as the result has; found "
            f"{tissue.n_obs}. Attach the result to the tissue it was made from."
        )
    made_from = result.provenance.get("spots_hash")
    if made_from is not None and made_from != spots_hash(tissue.obs_names):
        raise ConfigError(
            "Expected the spots of the result, in the same order; found others. Attach "
            "the result to the tissue it was made from, before it is sorted or cut."
        )
    if inplace:
        target = tissue
    else:
        # What is read from disk as it is needed has no copy but in memory.
        on_disk = tissue.isbacked or bool(stored_matrices(tissue))
        target = tissue.to_memory() if on_disk else tissue.copy()
    _write_result(target, result, run)
    return target


def _write_result(tissue: AnnData, result: DomainResult, run: str) -> None:
    """Write a result under the bare keys and under the run's own."""
    import pandas as pd

    from napari_semst.palette import domain_colors

    names = list(result.names)
    labels = pd.Categorical.from_codes(result.codes.tolist(), categories=names)
    colors = np.asarray(result.colors or domain_colors(len(names)), dtype=str)
    for key in (keys.DOMAIN, keys.of_run(keys.DOMAIN, run)):
        tissue.obs[key] = labels
        tissue.uns[key + keys.COLORS_SUFFIX] = colors.copy()
    _write_fine(tissue, result.fine, run)
    _write_image_flag(tissue, result.morphology)
    _write(tissue.obs, _per_spot(result))
    _write(tissue.obs, _of_discordance(result.discordance))
    _write_calls(tissue, result.discordance)
    _write(tissue.obsm, _per_spot_vectors(result))
    runs = dict(tissue.uns.get(keys.RUNS, {}))
    record = storable(result.provenance)
    runs[run] = {**record, EVIDENCE: storable(evidence_of(tissue, run, record))}
    tissue.uns[keys.RUNS] = runs
    tissue.uns[keys.LATEST] = run


def _write_fine(tissue: AnnData, fine: NDArray[np.int32] | None, run: str) -> None:
    """Write fine domains under both keys, or remove what an earlier run left there."""
    import pandas as pd

    from napari_semst.palette import domain_colors

    for key in (keys.FINE, keys.of_run(keys.FINE, run)):
        if fine is None:
            if key in tissue.obs:
                del tissue.obs[key]
            tissue.uns.pop(key + keys.COLORS_SUFFIX, None)
            continue
        names = [str(code + 1) for code in range(int(fine.max()) + 1)]
        labels = pd.Categorical.from_codes(fine.tolist(), categories=names)
        tissue.obs[key] = labels
        colors = np.asarray(domain_colors(len(names)), dtype=str)
        tissue.uns[key + keys.COLORS_SUFFIX] = colors


def _write_image_flag(tissue: AnnData, morphology: Morphology | None) -> None:
    """Write why a spot's image is not relied upon, or remove an earlier run's."""
    import pandas as pd

    if morphology is None:
        if keys.IMAGE_FLAG in tissue.obs:
            del tissue.obs[keys.IMAGE_FLAG]
        return
    codes, names = morphology.reasons()
    tissue.obs[keys.IMAGE_FLAG] = pd.Categorical.from_codes(codes.tolist(), names)


def _write_calls(tissue: AnnData, found: Discordance | None) -> None:
    """Write each spot's kind and region, or remove what an earlier run left."""
    import pandas as pd

    from napari_semst.methods.image_guided.regions import KINDS, region_numbers

    _write_states(tissue, found)
    if found is None:
        for key in (keys.DISCORDANCE_KIND, keys.DISCORDANT_REGION):
            if key in tissue.obs:
                del tissue.obs[key]
        return
    # Of spots that were not compared nothing is said, not that nothing was found.
    kinds = np.where(np.isnan(found.fdr), -1, found.kind)
    called = pd.Categorical.from_codes(kinds.tolist(), list(KINDS))
    tissue.obs[keys.DISCORDANCE_KIND] = called
    numbers = region_numbers(found.regions, len(found.kind)).tolist()
    names = [str(number) for number in range(1, len(found.regions) + 1)]
    tissue.obs[keys.DISCORDANT_REGION] = pd.Categorical.from_codes(numbers, names)


def _write_states(tissue: AnnData, found: Discordance | None) -> None:
    """Write whether spots of several sections were compared, or remove what is left."""
    import pandas as pd

    from napari_semst.methods.image_guided.discordance_result import STATES

    if found is not None and found.state is not None:
        states = pd.Categorical.from_codes(found.state.tolist(), list(STATES))
        tissue.obs[keys.COMPARED] = states.remove_unused_categories()
    elif keys.COMPARED in tissue.obs:
        del tissue.obs[keys.COMPARED]


def _per_spot(result: DomainResult) -> dict[str, NDArray[np.float32] | None]:
    return {
        keys.CONFIDENCE: result.confidence,
        keys.MODULATION: result.modulation,
        keys.MODULATION_SCALE: result.modulation_scale,
        keys.MODULATION_SHIFT: result.modulation_shift,
        keys.COVERAGE: result.coverage,
    }


def _of_discordance(
    discordance: Discordance | None,
) -> dict[str, NDArray[Any] | None]:
    columns = {
        keys.DISCORDANCE: "contradiction",
        keys.DISCORDANCE_P: "p_value",
        keys.DISCORDANCE_FDR: "fdr",
        keys.DISCORDANT: "discordant",
        keys.UNEXPLAINED: "unexplained",
        keys.UNEXPLAINED_P: "p_unexplained",
        keys.SURPRISE: "surprise",
    }
    return {
        key: None if discordance is None else getattr(discordance, name)
        for key, name in columns.items()
    }


def _per_spot_vectors(result: DomainResult) -> dict[str, NDArray[np.float32] | None]:
    image = None if result.morphology is None else result.morphology.features
    if image is not None and image.shape[1] > MOST_KEPT:
        image = None
    found = result.discordance
    # Where the image predicts nothing there is nothing to compare spots by.
    predicted = found if found is not None and len(found.predicted) else None
    return {
        keys.IMAGE_FEATURES: image,
        keys.DIVERGENCE: None if found is None else found.per_dimension,
        keys.EXPRESSED: None if predicted is None else predicted.expressed,
        keys.EXPECTED: None if predicted is None else predicted.expected,
        keys.LATENT: result.latent,
        keys.SCALE: result.scale,
        keys.SHIFT: result.shift,
    }


def _write(store: Any, values: Mapping[str, NDArray[Any] | None]) -> None:
    """Write what this run made, and remove what an earlier run left under its keys."""
    for key, value in values.items():
        if value is not None:
            store[key] = value
        elif key in store:
            del store[key]


def storable(value: Any) -> Any:
    """Return nested plain values in a form that h5ad can hold."""
    if isinstance(value, dict):
        return {str(k).replace("/", "_"): storable(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        if all(isinstance(v, str) for v in value):
            return np.asarray(value, dtype=object if value else str)
        return np.asarray(value)
    return "" if value is None else value
