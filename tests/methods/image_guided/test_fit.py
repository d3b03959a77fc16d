"""The image-guided method as a whole, on a few hundred spots and few epochs."""

from __future__ import annotations

from dataclasses import fields, replace

import anndata
import numpy as np
import pytest
import torch

from napari_semst import keys
from napari_semst.core.device import choose_device
from napari_semst.core.progress import RunControl, run_to_end
from napari_semst.core.threads import threads_limited
from napari_semst.errors import Cancelled, ConfigError, InputError, TrainingError
from napari_semst.io.export.h5ad import write
from napari_semst.io.read import read
from napari_semst.methods.image_guided.fit import fit
from napari_semst.methods.image_guided.inputs import attention_graph, guided_inputs
from napari_semst.methods.image_guided.minibatch import GuidedObjective
from napari_semst.methods.image_guided.regions import region_numbers
from napari_semst.pipeline.run import attach
from tests.guided import UNUSABLE, fitted, guided, image_of, simulated
from tests.small import found, short

# Each trains a network.
pytestmark = pytest.mark.run

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def one_thread():
    with threads_limited(1):
        yield


def same(one, other):
    assert one.latent.tobytes() == other.latent.tobytes()
    assert (one.discordance is None) == (other.discordance is None)
    for part in fields(one.discordance) if one.discordance else ():
        values = [getattr(fit.discordance, part.name) for fit in (one, other)]
        values = [np.asarray(value) for value in values]
        assert values[0].tobytes() == values[1].tobytes(), part.name


def checked(result, n_spots, latent=3):
    """Assert shapes, and that what is unknown is the spots without an image."""
    assert result.latent.shape == (n_spots, latent)
    assert np.isfinite(result.latent).all()
    measured = result.discordance
    unknown = np.zeros(n_spots, bool)
    unknown[UNUSABLE] = True
    for name in ("contradiction", "surprise", "p_value", "fdr"):
        values = getattr(measured, name)
        assert values.shape == (n_spots,), name
        assert np.array_equal(np.isnan(values), unknown), name
    assert np.array_equal(
        np.isnan(measured.per_dimension), np.repeat(unknown[:, None], latent, 1)
    )
    assert np.nanmin(measured.per_dimension) >= 0
    assert measured.expected.shape == measured.expressed.shape
    assert len(measured.expected) == n_spots
    assert measured.discordant.dtype == bool
    assert not measured.discordant[unknown].any()
    known = ~unknown
    assert (measured.p_value[known] > 0).all()
    assert (measured.fdr[known] >= measured.p_value[known] - 1e-6).all()


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"training": {"batch_spots": 128}},
        {"image_guided": {"graph_type": "radius"}},
        {"image_guided": {"graph_type": "delaunay"}},
        {"image_guided": {"posterior_reads_image": True}},
        {
            "image_guided": {
                "posterior_reads_image": True, "shared_image_encoder": True,
            }
        },
        {"image_guided": {"folds": 1}},
        {"model": {"start": "expression"}},
        {"training": {"decoded_spots": 0, "decoded_genes": 40}},
    ],
    ids=lambda settings: "-".join(str(v) for s in settings.values() for v in s.values())
    or "default",
)  # fmt: skip
def test_every_way_of_training_gives_domains_views_and_discordance(settings):
    section, config = guided(**settings)
    result = fitted(section, config)
    checked(result, 300)
    assert result.record.epochs == 2
    assert set(result.record.losses) == {"loss", "zinb", "divergence"}
    assert result.notes["image_features"] == 6
    assert 0 <= result.notes["active_dimensions"] <= 3
    assert all(len(view.values) == 300 for view in result.views)


@pytest.mark.parametrize("batch", [0, 128])
def test_the_same_seed_gives_the_same_bits_and_another_does_not(batch):
    section, config = guided(training={"batch_spots": batch})
    one = fitted(section, config)
    torch.manual_seed(99)
    same(one, fitted(section, config))
    training = replace(config.training, seed=1)
    assert not np.array_equal(
        one.latent, fitted(section, replace(config, training=training)).latent
    )


def test_numbers_drawn_by_others_meanwhile_change_nothing_and_are_theirs():
    section, config = guided()
    want = fitted(section, config)
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    drawn = []
    steps = fit(section, None, config, choose_device("cpu"), RunControl())
    while True:
        try:
            next(steps)
        except StopIteration as end:
            same(want, end.value)
            break
        if len(drawn) < 3:
            drawn.append(torch.rand(1))
    assert torch.equal(torch.cat(drawn), expected)


def test_looking_on_changes_nothing():
    section, config = guided()
    control = RunControl()
    control.snapshot_every(0.0)
    same(fitted(section, config), fitted(section, config, control))


def test_annotation_is_not_read():
    tissue = simulated().copy()
    want = fitted(*guided(tissue))
    morphology = image_of(tissue)
    del tissue.obs["ground_truth"], tissue.obs["discordant"]
    same(want, fitted(*guided(tissue, morphology)))


def test_without_an_image_there_is_no_discordance():
    section, config = guided(image=False, morphology={"encoder": "none"})
    result = fitted(section, config)
    assert result.discordance is None
    assert result.notes["image_features"] == 0
    assert result.latent.shape == (300, 3)


@pytest.mark.parametrize("moment", [0, 1, 4, 9])
def test_a_cancelled_run_is_discarded(moment):
    section, config = guided()
    control = RunControl()
    steps = fit(section, None, config, choose_device("cpu"), control)
    for _ in range(moment):
        next(steps)
    control.cancel()
    with pytest.raises(Cancelled):
        run_to_end(steps)


def test_an_early_stop_still_measures_discordance():
    section, config = guided(training={"epochs": 50})
    control = RunControl()
    steps = fit(section, None, config, choose_device("cpu"), control)
    while True:
        try:
            event = next(steps)
        except StopIteration as end:
            result = end.value
            break
        if event.metrics:
            control.stop_early()
    assert result.record.stopped_early
    assert result.record.epochs < 3
    checked(result, 300)


@pytest.mark.parametrize(("aligned", "steps"), [(0, 0), (3, 2)])
def test_a_stop_before_anything_is_reconstructed_leaves_nothing(aligned, steps):
    section, config = guided(image_guided={"contrastive_epochs": aligned})
    control = RunControl()

    def stopped():
        done = 0
        for event in fit(section, None, config, choose_device("cpu"), control):
            done += bool(event.metrics)
            if done == steps:
                control.stop_early()

    with pytest.raises(TrainingError, match=f"early after {steps} steps"):
        stopped()


def two_slides():
    tissue = simulated()
    slides = {"left": tissue[:170].copy(), "right": tissue[170:].copy()}
    return anndata.concat(slides, label="slide", uns_merge="first")


@pytest.mark.parametrize("batch", [0, 128])
def test_two_slides_share_a_latent_and_no_neighbours(batch):
    tissue = two_slides()
    section, config = guided(
        tissue,
        image_of(simulated()),
        prepare={"section_key": "slide"},
        training={"batch_spots": batch},
    )
    inputs = guided_inputs(section, config)
    assert inputs.n_sections == 2
    assert inputs.graph[:170, 170:].nnz == 0
    checked(fitted(section, config), 300)


@pytest.mark.parametrize("kind", ["knn", "radius", "delaunay"])
def test_neighbours_are_symmetric_or_as_many_as_asked_for_and_have_loops(kind):
    section, config = guided(image_guided={"graph_type": kind})
    graph, text = attention_graph(section, config.image_guided)
    assert (graph.diagonal() == 1).all()
    assert set(np.unique(graph.data)) == {1}
    around = np.diff(graph.indptr) - 1
    assert 4 < around.mean() < 9
    assert text
    if kind != "knn":
        assert (graph != graph.T).nnz == 0


def test_a_triangulation_does_not_cross_holes_and_refuses_a_line():
    section, config = guided(image_guided={"graph_type": "delaunay"})
    graph, _ = attention_graph(section, config.image_guided)
    rows, columns = graph.nonzero()
    places = section.coordinates
    lengths = np.linalg.norm(places[rows] - places[columns], axis=1)
    assert lengths.max() <= 3.01 * np.median(lengths[lengths > 0])
    line = np.column_stack([np.arange(300.0), np.zeros(300)])
    with pytest.raises(InputError, match="graph knn"):
        attention_graph(replace(section, coordinates=line), config.image_guided)


def test_some_spots_have_the_distributions_that_they_have_among_all(monkeypatch):
    inputs = guided_inputs(*guided())
    problem = GuidedObjective(inputs, CPU, 0)
    whole = run_to_end(problem.distributions(RunControl()))
    monkeypatch.setattr("napari_semst.methods.image_guided.minibatch._CHUNK_SPOTS", 70)
    parts = run_to_end(problem.distributions(RunControl()))
    for one, other in zip(whole, parts, strict=True):
        for values, same_values in zip(one, other, strict=True):
            np.testing.assert_allclose(values, same_values, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("free", "learns"), [(1e6, False), (0.0, True)])
def test_divergence_below_the_free_bits_costs_nothing(free, learns):
    section, config = guided(image_guided={"free_bits": free, "kl_annealing_end": 0})
    torch.manual_seed(0)
    problem = GuidedObjective(guided_inputs(section, config), CPU, 0)
    terms = problem.step_losses(10)
    terms["divergence"].backward()
    slopes = [p.grad for p in problem.network.prior.parameters() if p.grad is not None]
    assert any(bool((slope != 0).any()) for slope in slopes) is learns
    assert terms["divergence"].item() == pytest.approx(3e6) or learns


def test_an_image_without_usable_spots_is_refused():
    morphology = image_of(simulated())
    nowhere = replace(morphology, usable=np.zeros(300, bool))
    section, config = guided(morphology=nowhere)
    with pytest.raises(InputError, match="belongs to the section"):
        guided_inputs(section, config)


def test_few_spots_with_an_image_in_one_corner_are_enough():
    morphology = image_of(simulated())
    corner = np.linalg.norm(simulated().obsm["spatial"], axis=1).argsort()[:12]
    usable = np.zeros(300, bool)
    usable[corner] = True
    section, config = guided(morphology=replace(morphology, usable=usable))
    result = fitted(section, config)
    assert np.array_equal(~np.isnan(result.discordance.p_value), usable)


@pytest.mark.parametrize(
    "training",
    [{"epochs": 0}, {"batch_spots": 1}, {"decoded_spots": 1}],
    ids=lambda training: next(iter(training)),
)
def test_settings_that_cannot_be_trained_with_are_refused(training):
    section, config = guided(training=training)
    with pytest.raises(ConfigError, match=f"training.{next(iter(training))} of at"):
        fitted(section, config)


def test_at_any_rate_spots_without_an_image_are_not_called():
    section, config = guided(image_guided={"discordance_fdr": 1.0})
    found = fitted(section, config).discordance
    inside = region_numbers(found.regions, section.n_spots) >= 0
    assert not found.discordant[UNUSABLE].any()
    np.testing.assert_array_equal(found.discordant, inside)


def test_a_whole_run_tells_what_it_does_not_use(tissue):
    tissue.obsm["image"] = tissue.obsm["spatial"].astype(np.float32)
    request = short(
        model={"method": "image-guided"},
        morphology={"encoder": "obsm:image"},
        image_guided={"hidden_dim": 8, "latent_dim": 3, "permutations": 2},
        training={"ensemble": 2, "checkpoints": 2, "average_last": 0.5},
    )
    result = found(tissue, request)
    told = " ".join(result.provenance["warnings"])
    assert "trains one network: the ensemble is not used" in told
    assert "hears no late checkpoints" in told
    assert "averages no latents" in told
    assert "reads no image" not in told
    assert attach(tissue, result).obs[keys.DISCORDANCE].notna().all()


def test_a_real_section_goes_from_file_to_file(shared_data, tmp_path):
    path = shared_data / "tissue" / "HER2ST_A1.h5ad"
    if not path.exists():
        pytest.skip(f"no {path}")
    tissue = read(path)
    small = {"hidden_dim": 16, "latent_dim": 4, "permutations": 5}
    request = short("image-guided", 5, image_guided=small, prepare={"n_top_genes": 200})
    result = found(tissue, request)
    write(attach(tissue, result), tmp_path / "out.h5ad")
    back = read(tmp_path / "out.h5ad")
    assert np.array_equal(
        back.obs[keys.DISCORDANCE].to_numpy(), result.discordance.contradiction,
        equal_nan=True,
    )  # fmt: skip
    usable = result.morphology.usable
    assert np.array_equal(~np.isnan(back.obs[keys.DISCORDANCE].to_numpy()), usable)
    assert usable.mean() > 0.5
    assert back.obsm[keys.LATENT].shape == (346, 4)
    assert back.uns[keys.RUNS]["default"]["morphology"]["encoder"] == "builtin"
