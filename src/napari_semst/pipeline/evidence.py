"""By what a result can be told from one that was changed afterwards."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_semst import keys
from napari_semst.io.export.names import storable_text
from napari_semst.pipeline.content import array_hash, texts_hash

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    from anndata import AnnData
    from numpy.typing import NDArray

# To be raised whenever the same result would be hashed otherwise.
FORMAT = 1
_OBS = (
    keys.CONFIDENCE,
    keys.MODULATION,
    keys.MODULATION_SCALE,
    keys.MODULATION_SHIFT,
    keys.COVERAGE,
    keys.DISCORDANCE,
    keys.DISCORDANCE_P,
    keys.DISCORDANCE_FDR,
    keys.DISCORDANT,
    keys.UNEXPLAINED,
    keys.UNEXPLAINED_P,
    keys.SURPRISE,
)
# Columns of names.
_NAMED = (keys.DISCORDANCE_KIND, keys.DISCORDANT_REGION, keys.COMPARED)
_OBSM = (
    keys.LATENT,
    keys.SCALE,
    keys.SHIFT,
    keys.DIVERGENCE,
    keys.EXPRESSED,
    keys.EXPECTED,
    keys.IMAGE_FEATURES,
)


def evidence_of(tissue: AnnData, run: str, record: Mapping[str, Any]) -> dict[str, Any]:
    """Return hashes of what a run wrote into a tissue, and of what it says of itself.

    They find what was changed by accident or by hand. They are no signature: who
    changes a result can also hash it again.

    Parameters
    ----------
    tissue
        With the results under the run's keys and the bare ones.
    record
        The run's provenance as it is stored.
    """
    labels = tissue.obs[keys.of_run(keys.DOMAIN, run)]
    return {
        "format": FORMAT,
        "labels": labels_evidence(tissue.obs_names, labels),
        "arrays": arrays_evidence(tissue),
        "record": {name: entry_hash(entry) for name, entry in record.items()},
    }


def labels_evidence(spots: pd.Index, labels: pd.Series) -> dict[str, Any]:
    """Return hashes of the labels of spots: with their names, and without.

    Returns
    -------
    evidence
        ``spots`` and ``domains``, how many; ``sha256`` of the names and labels of the
        spots in their order; ``partition``, which spots are together, whatever the
        domains are called.
    """
    import pandas as pd

    named = pd.Categorical(labels)
    texts = _texts(named)
    # Numbered as they come, so that names and their order make no difference.
    codes = pd.factorize(named.codes)[0]
    return {
        "spots": len(spots),
        "domains": len(np.unique(named.codes[named.codes >= 0])),
        "sha256": texts_hash(texts_hash(part) for part in (spots, texts)),
        "partition": array_hash(codes),
    }


def _texts(named: pd.Categorical) -> NDArray[np.object_]:
    """Return the name of each spot, empty for none."""
    names = np.asarray(["", *map(str, named.categories)], dtype=object)
    texts: NDArray[np.object_] = names[np.asarray(named.codes) + 1]
    return texts


def arrays_evidence(tissue: AnnData) -> dict[str, dict[str, str]]:
    """Return hashes of the other results that stand under the bare keys."""
    import pandas as pd

    found = {
        where: {name: array_hash(store[name]) for name in names if name in store}
        for where, store, names in (
            ("obs", tissue.obs, _OBS),
            ("obsm", tissue.obsm, _OBSM),
        )
    }
    for name in _NAMED:
        if name in tissue.obs:
            texts = _texts(pd.Categorical(tissue.obs[name]))
            found["obs"][name] = texts_hash(texts)
    return found


def entry_hash(entry: Any) -> str:
    """Return a SHA-256 of an entry of a provenance, the same before and after a file.

    Parameters
    ----------
    entry
        Nested plain values, as `napari_semst.pipeline.result.storable` returns them.
    """
    from napari_semst.pipeline.provenance import python_values

    text = json.dumps(_as_stored(python_values(entry)), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _as_stored(value: Any) -> Any:
    """Return nested values of Python with their texts as files hold them."""
    if isinstance(value, str):
        return storable_text(value)
    if isinstance(value, list):
        return [_as_stored(inner) for inner in value]
    if isinstance(value, dict):
        return {storable_text(key): _as_stored(one) for key, one in value.items()}
    return value
