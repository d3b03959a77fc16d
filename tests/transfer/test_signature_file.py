"""Signatures come back as they were written, and no other file passes for one."""

from __future__ import annotations

import io
import json
import pickle
from dataclasses import replace

import numpy as np
import pytest

from napari_semst.errors import InputError, SaveError
from napari_semst.transfer.builtin_signatures import builtin_names, builtin_signature
from napari_semst.transfer.signature_file import (
    load_signature,
    save_signature,
    signature_checksum,
)
from tests.transfer.sections import small_signature


@pytest.fixture
def written(tmp_path):
    return save_signature(small_signature(), tmp_path / "a.npz")


def arrays_of(path):
    with np.load(path) as held:
        return dict(held)


def test_it_reads_back_the_same(written):
    made, back = small_signature(), load_signature(written)
    assert back.labels == made.labels
    assert back.genes == made.genes
    assert back.species == "human"
    np.testing.assert_array_equal(back.scores, made.scores)
    np.testing.assert_array_equal(back.mean_expression, made.mean_expression)
    np.testing.assert_array_equal(back.n_spots, made.n_spots)
    assert back.provenance == made.provenance
    assert signature_checksum(back) == signature_checksum(made)


def test_ids_of_genes_come_back_and_none_too(tmp_path):
    made = replace(small_signature(), gene_ids=("ENSG1", "", "ENSG3", ""))
    path = save_signature(made, tmp_path / "ids.npz")
    assert load_signature(path).gene_ids == made.gene_ids
    bare = replace(made, gene_ids=())
    assert load_signature(save_signature(bare, tmp_path / "b.npz")).gene_ids == ()
    with pytest.raises(InputError, match="an id for each of 4"):
        replace(made, gene_ids=("ENSG1",))


def test_what_stands_there_is_not_replaced_unasked(written):
    before = written.read_bytes()
    with pytest.raises(SaveError, match="there is one"):
        save_signature(small_signature(), written)
    assert written.read_bytes() == before
    save_signature(small_signature(), written, overwrite=True)


@pytest.mark.parametrize("name", ["labels", "genes", "scores", "n_spots", "about"])
def test_a_changed_value_is_refused(written, name):
    arrays = arrays_of(written)
    arrays[name] = arrays[name].copy()
    arrays[name].flat[0] += 1
    np.savez(written, **arrays)
    with pytest.raises(InputError, match="checksum"):
        load_signature(written)


def test_a_file_cut_off_is_refused(written):
    for size in (0, 10, 200, len(written.read_bytes()) - 5):
        cut = written.with_name("cut.npz")
        cut.write_bytes(written.read_bytes()[:size])
        with pytest.raises(InputError, match="damaged"):
            load_signature(cut)


def test_other_archives_and_pickles_are_refused(tmp_path, written):
    other = tmp_path / "other.npz"
    np.savez(other, vectors=np.ones((2, 3)))
    with pytest.raises(InputError, match="archive of vectors"):
        load_signature(other)
    arrays = arrays_of(written)
    arrays["labels"] = np.array(["a", None], dtype=object)
    np.savez(other, **arrays)
    with pytest.raises(InputError, match="allow_pickle"):
        load_signature(other)
    other.write_bytes(pickle.dumps({"labels": ["a", "b"]}))
    with pytest.raises(InputError, match="damaged"):
        load_signature(other)
    stream = io.BytesIO()
    np.save(stream, np.ones(3))
    other.write_bytes(stream.getvalue())
    with pytest.raises(InputError, match="single array"):
        load_signature(other)


def test_a_later_version_says_so(written):
    from napari_semst.transfer import signature_file as file

    arrays = arrays_of(written)
    about = json.loads(arrays["about"].tobytes())
    text = json.dumps({**about, "version": 9}, sort_keys=True)
    arrays["about"] = np.frombuffer(text.encode(), np.uint8)
    digest = file._digest(arrays)
    arrays["sha256"] = np.frombuffer(digest.encode(), np.uint8)
    np.savez(written, **arrays)
    with pytest.raises(InputError, match="version 9"):
        load_signature(written)


def test_what_is_not_there_is_told(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        load_signature(tmp_path / "none.npz")


@pytest.mark.parametrize("name", builtin_names())
def test_what_ships_is_whole_small_and_attributed(name):
    found = builtin_signature(name, "mouse")
    assert {"L4", "L5", "L6"} <= set(found.labels)
    assert "doi:" in found.provenance["attribution"]
    assert found.species == ("human" if name.endswith("human") else "mouse")
    assert len(found.genes) > 1000


def test_the_species_chooses_and_others_get_the_human_one():
    assert builtin_signature("builtin:cortex", "human").species == "human"
    assert builtin_signature("builtin:cortex", "other").species == "human"
    with pytest.raises(InputError, match="builtin:cortex-mouse"):
        builtin_signature("builtin:liver", "human")
