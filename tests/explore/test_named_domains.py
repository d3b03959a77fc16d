"""Domains under their names: of one name one, others apart, colours apart."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData

from napari_semst import keys
from napari_semst.errors import InputError
from napari_semst.explore.named_domains import named_domains
from napari_semst.transfer.result import (
    NamedDomain,
    NamedSpots,
    TransferResult,
    attach_transfer,
)


def tissue(names):
    made = AnnData(np.ones((6, 2), np.float32))
    made.obs["domain"] = pd.Categorical(["1", "1", "2", "3", "3", None])
    domains = tuple(
        NamedDomain(domain, 2, name or "L1", name, 1.0, 0.01, 0.02)
        for domain, name in zip("123", names, strict=True)
    )
    spots = NamedSpots(
        np.full(6, -1, np.int32), np.zeros(6, np.float32), np.ones(6, np.float32)
    )
    codes = np.array([0, 0, 1, 2, 2, -1], np.int32)
    facts = {"domains": "domain"}
    result = TransferResult(("L1", "3"), spots, domains, codes, facts)
    return attach_transfer(made, result)


def test_domains_of_one_name_are_one_and_others_keep_theirs():
    labels = named_domains(tissue(("L1", "L1", "")))
    assert labels.names == ("L1", "3")
    assert labels.codes.tolist() == [0, 0, 0, 1, 1, -1]
    assert len(set(labels.colors)) == 2


def test_a_domain_without_a_name_is_not_taken_for_one_that_is_called_so():
    labels = named_domains(tissue(("3", "", "")))
    assert len(labels.names) == 3
    assert labels.names[0] == "3"
    assert labels.codes.tolist() == [0, 0, 1, 2, 2, -1]
    assert len(set(labels.colors)) == 3


def test_there_must_be_names():
    with pytest.raises(InputError, match="Name them first"):
        named_domains(AnnData(np.ones((2, 2), np.float32)))


def test_the_column_of_names_is_missing_where_there_is_none():
    found = tissue(("L1", "", "3")).obs[keys.TRANSFER_DOMAIN]
    assert found.isna().tolist() == [False, False, True, False, False, True]
