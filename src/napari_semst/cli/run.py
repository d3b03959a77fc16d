"""What the commands do, once their options are known."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import typer

from napari_semst.cli.output import shown, words
from napari_semst.config import Request
from napari_semst.errors import ConfigError
from napari_semst.pipeline.job import RunOutputs, Scoring, find_and_save

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def refuse_apart(sources: Sequence[Path], **options: object) -> None:
    """Refuse what does not go with joining the inputs.

    Raises
    ------
    ConfigError
        If there is one input only, or an option of sections done on their own.
    """
    if len(sources) < 2:
        raise ConfigError(
            "Expected several inputs with --together; got one. Give more, or name the "
            "column that tells its sections apart with --section-key."
        )
    for name, value in options.items():
        if value is not None:
            raise ConfigError(
                f"Expected --{name.replace('_', '-')} with sections done on their own; "
                "got --together, which gives one result: name its file with --output."
            )


def build_request(
    preset: str, config: Path | None, **stages: dict[str, Any]
) -> Request:
    """Return the request of a settings file with the options put over it.

    Raises
    ------
    ConfigError
        If a setting is not accepted, or an option of the semantics or of the image
        is without effect.
    """
    request = Request.from_file(config) if config else Request(preset)
    if config and preset != "auto":
        request = Request(preset, request.overrides)
    for stage, settings in stages.items():
        request = request.with_settings(stage, **settings)
    from napari_semst.methods.settings import resolve

    complete = resolve(request)
    if "semantics" in stages:
        from napari_semst.cli.semantics_options import check_fit, check_method

        check_method(stages["semantics"].get("source"), complete.model.method)
        check_fit(stages["semantics"], complete.semantics)
    if "morphology" in stages:
        from napari_semst.cli.image_options import check_image

        rate = stages.get("image_guided", {}).get("discordance_fdr")
        check_image(stages["morphology"], rate, complete)
    return request


def run(
    sources: Sequence[Path],
    request: Request,
    name: str,
    scoring: Scoring,
    files: RunOutputs,
    *,
    as_json: bool = False,
    quiet: bool = False,
) -> None:
    """Read, find domains, save, score and report; several inputs are joined."""
    account = find_and_save(
        sources,
        request,
        name,
        scoring,
        files,
        through=lambda steps: shown(steps, quiet=quiet),
    )
    typer.echo(json.dumps(account, indent=2) if as_json else words(account))
