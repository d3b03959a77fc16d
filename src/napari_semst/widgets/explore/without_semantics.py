"""The test without semantics: for which labels it is, and what it will take."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_semst.widgets.explore import texts

if TYPE_CHECKING:
    from anndata import AnnData

    from napari_semst.config import Config


def reason_not_testable(tissue: AnnData, run: str) -> str:
    """Return why the domains of a run cannot be tested, empty where they can.

    Parameters
    ----------
    run
        Name of the run; empty for labels that are of none.
    """
    from napari_semst.errors import SemstError
    from napari_semst.explanation.explained_run import explained
    from napari_semst.explanation.modulation import not_testable
    from napari_semst.wording import for_window

    if not run:
        return texts.NOT_A_RUN
    try:
        return not_testable(explained(tissue, run, None))
    except SemstError as error:
        return for_window(error)


def configs_of_test(tissue: AnnData, run: str) -> list[Config]:
    """Return the settings of the runs that the test of a run takes."""
    from napari_semst.explanation.explained_run import explained
    from napari_semst.explanation.modulation import runs_of_test

    return list(runs_of_test(explained(tissue, run, None)).values())


def forecast_test(tissue: AnnData, run: str) -> tuple[str, str]:
    """Return what the test will take; imports torch, so not for the window's thread.

    Returns
    -------
    run, sentences
        Of the time and memory of both runs, and of what leaves this machine.
    """
    from napari_semst.pipeline.forecast import Forecast, forecast
    from napari_semst.semantics.server.credentials import parse_address
    from napari_semst.widgets.shared.resources import (
        READING_SOURCES,
        count_stored_values,
        describe_device,
    )

    configs = configs_of_test(tissue, run)
    n_counts = count_stored_values(tissue, configs[0].prepare.counts_layer)
    forecasts = [
        forecast(tissue.n_obs, tissue.n_vars, n_counts, config) for config in configs
    ]
    both = Forecast(
        sum(each.seconds for each in forecasts),
        max(each.memory for each in forecasts),
        forecasts[-1].free,
    )
    device, _ = describe_device(configs[0].training.device)
    words = texts.TEST_TIME if device == "cpu" else texts.TEST_TIME_OF_CPU
    sentences = [words.format(forecast=both)]
    semantics = configs[-1].semantics
    if semantics.source in READING_SOURCES or semantics.source == "server":
        sentences.append(texts.TEST_READS)
    if semantics.source == "server":
        # The host alone: an address may hold what is nobody's business.
        sentences.append(
            texts.TEST_SERVER.format(host=parse_address(semantics.url).host)
        )
    return run, " ".join(sentences)
