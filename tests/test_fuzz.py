"""Damaged inputs are refused in words, or read: no other error, no hang, no crash.

`tests.fuzz` damages valid inputs of every kind, the same way in each run. For longer,
set SEMST_FUZZ_SECONDS, or call ``python -m tests.fuzz.run SECONDS [KIND ...]``.
"""

from __future__ import annotations

import os

import h5py
import numpy as np
import pytest

from tests.fuzz.kinds import KINDS, WrongError, check_section
from tests.fuzz.mutations import mutate, mutate_values
from tests.fuzz.run import Outcomes, run, run_for, write_valid

pytest.importorskip("resource", reason="memory is limited on POSIX alone")

# In the ordinary suite, of each kind.
_FEW = 2
# A model takes a run; with it, kinds whose processes load more than they read.
_KINDS = [kind for kind in KINDS if kind != "model"]


@pytest.mark.slow
def test_damaged_inputs_are_refused_in_words(tmp_path):
    seconds = float(os.environ.get("SEMST_FUZZ_SECONDS", "0"))
    kinds = list(KINDS) if seconds else _KINDS
    write_valid(tmp_path, kinds)
    outcomes = Outcomes()
    if seconds:
        run_for(seconds, tmp_path, kinds, outcomes)
    else:
        run(tmp_path, kinds, range(_FEW), outcomes)
    assert not outcomes.failures, "\n\n".join(outcomes.failures)
    assert {kind for kind, _ in outcomes.counts} == set(kinds)
    # Damage is done: of sections, some are refused.
    assert sum(n for (_, how), n in outcomes.counts.items() if how == "refused") > 10


def test_the_same_number_damages_alike(tmp_path):
    texts = []
    for name in ("a", "b"):
        folder = tmp_path / name / "input"
        folder.mkdir(parents=True)
        KINDS["plain"].write(folder)
        told = mutate(folder, np.random.default_rng(3))
        texts.append((told, [p.read_bytes() for p in sorted(folder.iterdir())]))
    assert texts[0] == texts[1]


def test_a_process_that_dies_is_a_failure_and_the_next_number_is_tried(tmp_path):
    outcomes = Outcomes()
    run(tmp_path, ["settings"], range(2), outcomes)
    assert outcomes.counts["settings", "failed"] == 2


def test_sections_that_are_none_are_told(tissue):
    check_section(tissue)
    made = tissue.copy()
    made.obsm["spatial"] = np.full((made.n_obs, 2), np.nan)
    with pytest.raises(WrongError, match="not finite"):
        check_section(made)
    made = tissue.copy()
    made.obs = made.obs.iloc[[0] * made.n_obs]
    with pytest.raises(WrongError, match="same name"):
        check_section(made)


def test_values_in_hdf5_are_damaged_in_a_file_that_stays_one(tmp_path):
    changed = 0
    for number in range(20):
        path = tmp_path / f"{number}.h5"
        with h5py.File(path, "w") as file:
            file["values"] = np.arange(5)
        mutate_values(path, np.random.default_rng(number))
        with h5py.File(path) as file:
            held = file["values"][()] if "values" in file else None
        changed += not np.array_equal(held, np.arange(5))
    assert changed > 10
