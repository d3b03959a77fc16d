"""Layers made as napari-spatialdata makes them, taken as sections.

That plugin is not installed here: its layers are made by hand, with its metadata.
"""

from __future__ import annotations

import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from napari.layers import Image, Labels, Layer, Points, Shapes

from napari_semst.errors import InputError
from napari_semst.io.notes import input_warnings
from napari_semst.viewer import adapter
from napari_semst.viewer.foreign_layers import (
    adoptable,
    read_foreign_layer,
    section_from_layer,
)
from tests.widgets.stand_in import small_tissue

SCALE = np.array([[2.0, 0, 10], [0, 2, 20], [0, 0, 1]])


def table(n_spots=6):
    found = small_tissue(n_spots, image=False)
    del found.obsm["spatial"]
    found.obs["instance_id"] = np.arange(n_spots) + 1
    found.obs["region"] = "cells"
    return found


def about(adata, **more):
    return {
        "sdata": object(),
        "adata": adata,
        "region_key": "region",
        "instance_key": "instance_id",
        "table_names": ["table"],
        "name": "cells",
        "_active_in_cs": {"global"},
        "_current_cs": "global",
        **more,
    }


PLACES = np.array([[5.0, 3], [5, 13], [5, 23], [15, 3], [15, 13], [15, 23]])
# As they are on the canvas, (x, y).
EXPECTED = (PLACES * 2 + (10, 20))[:, ::-1]


def circles(adata, order=range(6)):
    order = list(order)
    names = [i + 1 for i in order]
    return Points(
        PLACES[order],
        size=4,
        affine=SCALE,
        name="cells",
        metadata=about(adata, indices=names),
    )


def polygons(adata):
    square = np.array([[-2.0, -2], [-2, 2], [2, 2], [2, -2]])
    shapes = [place + square for place in PLACES]
    return Shapes(
        shapes,
        shape_type="polygon",
        affine=SCALE,
        name="cells",
        metadata=about(adata, indices=list(range(1, 7))),
    )


def segmentation(adata):
    image = np.zeros((30, 30), np.int32)
    for name, (y, x) in enumerate(PLACES.astype(int), start=1):
        image[y - 1 : y + 2, x - 1 : x + 2] = name
    return Labels(image, affine=SCALE, name="cells", metadata=about(adata))


@pytest.mark.parametrize("make", [circles, polygons, segmentation])
def test_what_is_drawn_becomes_a_section_where_it_is_drawn(make):
    adata = table()
    layer = make(adata)
    section = section_from_layer(read_foreign_layer(layer))
    assert np.allclose(section.obsm["spatial"], EXPECTED)
    assert list(section.obs_names) == list(adata.obs_names)
    assert section.X is adata.X
    assert "spatial" not in adata.obsm
    assert adata.uns == {}


def test_rows_are_matched_by_the_name_of_the_instance():
    layer = circles(table(), order=[3, 1, 0, 5, 2, 4])
    assert np.allclose(
        section_from_layer(read_foreign_layer(layer)).obsm["spatial"], EXPECTED
    )


def test_circles_keep_their_true_diameter():
    section = section_from_layer(read_foreign_layer(circles(table())))
    spots = adapter.layers_of(section)[-1]
    assert np.allclose(spots[1]["size"], 8)


def test_rows_that_are_not_drawn_are_left_out_and_told():
    section = section_from_layer(
        read_foreign_layer(circles(table(), order=[0, 1, 2, 3]))
    )
    assert section.n_obs == 4
    assert "2 of 6 rows" in input_warnings(section)[0]


def test_rows_without_names_must_be_as_many_as_what_is_drawn():
    adata = table()
    del adata.obs["instance_id"]
    layer = circles(adata)
    assert np.allclose(
        section_from_layer(read_foreign_layer(layer)).obsm["spatial"], EXPECTED
    )
    layer = circles(adata, order=[0, 1])
    with pytest.raises(InputError, match="6 and 2"):
        section_from_layer(read_foreign_layer(layer))


def test_a_table_of_something_else_is_refused():
    adata = table()
    adata.obs["instance_id"] += 100
    with pytest.raises(InputError, match="share none"):
        section_from_layer(read_foreign_layer(circles(adata)))


def test_only_layers_of_others_with_genes_are_offered():
    own = [Layer.create(*data) for data in adapter.layers_of(small_tissue())]
    foreign = circles(table())
    molecules = circles(table()[:, :0].copy())
    empty = Image(np.zeros((3, 3)), metadata=about(None))
    assert adoptable([*own, foreign, molecules, empty]) == [foreign]


def test_our_layers_hold_what_its_widgets_look_for():
    """Its viewer forgets layers by metadata["name"], and only knows those of sdata."""
    layers = [Layer.create(*data) for data in adapter.layers_of(small_tissue())]
    assert layers[-1].metadata["adata"].n_obs == len(layers[-1].data)
    assert {"region_key", "instance_key", "table_names"} <= set(layers[-1].metadata)
    for layer in layers:
        assert "sdata" not in layer.metadata
        assert not layer.metadata.get("name")


def test_a_layer_of_three_dimensions_is_refused():
    layer = Points(np.zeros((6, 3)), metadata=about(table()))
    with pytest.raises(InputError, match="two dimensions"):
        read_foreign_layer(layer)


class Registry:
    """As spatiato and napari-harpy tell which element of an object a layer is."""

    def __init__(self):
        self.entries = {}

    def get_binding(self, layer):
        return self.entries.get(id(layer))


@pytest.fixture(params=["spatiato", "napari_harpy"])
def registry(request, monkeypatch):
    """The state of such a plugin, with an object of one table of two elements."""
    whole = table(9)
    whole.obs["region"] = ["cells"] * 6 + ["others"] * 3
    whole.uns["spatialdata_attrs"] = {
        "region": ["cells", "others"],
        "region_key": "region",
        "instance_key": "instance_id",
    }
    small = table(6)[:, :3].copy()
    small.uns["spatialdata_attrs"] = {
        **whole.uns["spatialdata_attrs"],
        "region": "cells",
    }
    state = SimpleNamespace(layer_bindings=Registry(), sdata=Store(whole, small))
    module = SimpleNamespace(_VIEWER_APP_STATES={object(): state})
    monkeypatch.setitem(sys.modules, f"{request.param}._app_state", module)
    return state


class Store(dict):
    """A SpatialData object with the tables of its elements."""

    def __init__(self, *tables):
        super().__init__(cells=SimpleNamespace(index=pd.Index(range(1, 7))))
        self.tables = {str(number): one for number, one in enumerate(tables)}


def register(state, layer, **more):
    layer.metadata.clear()
    entry = SimpleNamespace(
        layer=layer, element_name="cells", sdata_id=id(state.sdata), **more
    )
    state.layer_bindings.entries[id(layer)] = entry
    return layer


def test_layers_known_by_a_registry_are_offered_and_taken_over(registry):
    rows = tuple(range(6))
    for layer, more in (
        (segmentation(None), {}),
        (polygons(None), {"source_row_id_by_rendered_row": rows}),
        (circles(None), {"source_row_id_by_rendered_row": rows}),
    ):
        register(registry, layer, **more)
        assert adoptable([layer]) == [layer]
        tissue = section_from_layer(read_foreign_layer(layer))
        np.testing.assert_allclose(tissue.obsm["spatial"], EXPECTED, atol=0.3)
        # Of the two tables the one with more genes, of its rows those of the element.
        assert tissue.shape == (6, 30)
        assert layer.metadata == {}


def test_an_order_of_its_own_and_pieces_of_a_cell_are_followed(registry):
    order = [5, 5, 0, 3, 1, 2, 4]
    square = np.array([[-2.0, -2], [-2, 2], [2, 2], [2, -2]])
    shapes = [PLACES[row] + square for row in order]
    layer = Shapes(shapes, shape_type="polygon", affine=SCALE)
    register(registry, layer, source_row_id_by_rendered_row=tuple(order))
    tissue = section_from_layer(read_foreign_layer(layer))
    np.testing.assert_allclose(tissue.obsm["spatial"], EXPECTED, atol=0.3)


def test_what_a_registry_does_not_know_is_not_offered(registry):
    layer = register(registry, segmentation(None))
    entry = registry.layer_bindings.entries[id(layer)]
    for name, value in (("element_name", "none"), ("sdata_id", 1), ("layer", None)):
        before = getattr(entry, name)
        setattr(entry, name, value)
        assert adoptable([layer]) == []
        setattr(entry, name, before)
    assert adoptable([layer, Image(np.zeros((3, 3)))]) == [layer]
    registry.sdata.tables.clear()
    assert adoptable([layer]) == []
