"""``semst transfer`` and ``semst signature``: names from an annotated section."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_semst.cli.shared_options import (
    AsJson,
    CsvOutput,
    FigureOutput,
    GivenSettings,
    InputPath,
    Overwrite,
    Quiet,
    ResultOutput,
    SettingOptions,
    with_setting_options,
)
from napari_semst.wording import for_shell

if TYPE_CHECKING:
    from napari_semst.transfer.references import Source

_ReferenceArgument = Annotated[
    Path,
    typer.Argument(
        help="What names are from: an annotated section, a file of `semst signature`, "
        "or builtin:cortex (builtin:cortex-human, builtin:cortex-mouse)."
    ),
]
_TargetArgument = Annotated[Path, typer.Argument(help="The section to name.")]
_Labels = Annotated[
    list[str] | None,
    typer.Option(
        help="obs column of the reference that holds the names; again, in their order, "
        "where several references have columns of their own."
    ),
]
_Also = Annotated[
    list[Path] | None,
    typer.Option(help="One more reference; again for more. Names in common are one."),
]
_Domains = Annotated[
    str,
    typer.Option(
        help="obs column of the domains to name; else those of the latest run, and "
        "where there are none they are found by the method quick."
    ),
]
_Number = Annotated[
    int,
    typer.Option(
        "-k",
        help="Domains to find where the target has none; else as many as the "
        "reference has names.",
    ),
]
_Fdr = Annotated[
    float, typer.Option(help="False discovery rate up to which a name is given.")
]
_Seed = Annotated[int, typer.Option(help="Seed of everything random.")]
_SignatureOutput = Annotated[
    Path, typer.Option("--output", "-o", help="File to write (.npz).")
]
_TARGET_SETTINGS = SettingOptions(
    "prepare.section_key",
    "prepare.counts_layer",
    "prepare.coordinates",
    "prepare.part",
    "prepare.positions",
    "prepare.features",
)


@with_setting_options
def transfer(
    *,
    reference: _ReferenceArgument,
    target: _TargetArgument,
    labels: _Labels = None,
    also: _Also = None,
    output: ResultOutput = None,
    domains: _Domains = "",
    number: _Number = 0,
    fdr: _Fdr = 0.1,
    seed: _Seed = 0,
    target_settings: Annotated[GivenSettings, _TARGET_SETTINGS],
    csv: CsvOutput = None,
    figure: FigureOutput = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Name a section's domains and spots from an annotated one, on any panels."""
    from napari_semst.cli.output import show_progress
    from napari_semst.cli.run import result_path
    from napari_semst.transfer.job import TransferOutputs, transfer_and_save
    from napari_semst.transfer.references import references_from
    from napari_semst.transfer.settings import TransferSettings
    from napari_semst.transfer.target import TargetOptions

    given = dict(target_settings.get("prepare", {}))
    part, positions = given.pop("part", ""), given.pop("positions", "")
    options = TargetOptions(domains, number, **given)
    settings = TransferSettings(fdr=fdr, seed=seed)
    sources = [_source(one) for one in (reference, *(also or ()))]
    references = references_from(sources, labels)
    if output is None and not as_json:
        output = result_path(target)
    account = transfer_and_save(
        references,
        target,
        options,
        settings,
        TransferOutputs(output, csv, figure, overwrite),
        through=lambda steps: show_progress(steps, quiet=quiet),
        part=part,
        positions=positions,
    )
    if as_json:
        account["warnings"] = [for_shell(text) for text in account["warnings"]]
    typer.echo(json.dumps(account, indent=2) if as_json else _format_account(account))


def signature(
    source: InputPath,
    labels: Annotated[
        str, typer.Option(help="obs column with the names; spots may lack one.")
    ],
    output: _SignatureOutput,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Save what sets the names of an annotated section apart, without its counts."""
    from napari_semst.cli.output import show_progress
    from napari_semst.core.progress import RunControl, run_to_end
    from napari_semst.io.export.destinations import check_destination
    from napari_semst.pipeline.files_read import inputs_of
    from napari_semst.transfer.references import Reference
    from napari_semst.transfer.signature_file import save_signature
    from napari_semst.transfer.steps import signature_steps

    check_destination(output, (".npz",), overwrite=overwrite, reads=inputs_of(source))
    steps = signature_steps(Reference(source, labels), RunControl())
    made = run_to_end(show_progress(steps, quiet=quiet))
    path = save_signature(made, output, overwrite=overwrite)
    names = ", ".join(
        f"{name} ({count})"
        for name, count in zip(made.labels, made.n_spots.tolist(), strict=True)
    )
    typer.echo(
        f"Wrote {path}: {len(made.labels)} names by {len(made.genes):,} genes "
        f"({made.species}), no counts.\n  spots per name     {names}"
    )
    if left := made.provenance.get("left_out"):
        typer.echo(f"  left out           {', '.join(left)}: too few spots")


def _source(given: Path) -> Source:
    """Return a reference as it was typed: what ships is no path."""
    text = str(given)
    return text if text.startswith("builtin:") else given


def _format_account(account: dict[str, Any]) -> str:
    """Return the account for people."""
    domains, genes = account["domains"], account["genes"]
    named = sum(one["name"] is not None for one in domains)
    sizes = [
        f"{name}: {size}" for name, size in account["spots_per_name"].items() if size
    ]
    found = ", found by the method quick" if account["domains_found_now"] else ""
    lines = [
        f"{named} of {len(domains)} domains and {account['spots_named']} of "
        f"{account['n_spots']} spots named in {account['seconds']:.1f} s, at a false "
        f"discovery rate of {account['fdr']:g}",
        f"  names from         {', '.join(account['references'])}",
        f"  genes              {genes['shared']} in common, of {genes['reference']} "
        f"in the reference and {genes['target']} in the target; meaning known of "
        f"{genes['known']} of these",
        f"  domains            {account['domains_in']}{found}",
    ]
    width = max((len(one["domain"]) for one in domains), default=0)
    for one in domains:
        lines.append(f"    {one['domain']:<{width}}  {_in_words(one)}")
    lines.append(f"  spots per name     {'  '.join(sizes) or 'none named'}")
    lines += [f"  note               {for_shell(text)}" for text in account["warnings"]]
    lines += [f"  wrote              {path}" for path in account["written"]]
    return "\n".join(lines)


def _in_words(one: dict[str, Any]) -> str:
    """Return what a domain was named, how sure that is, and what comes next."""
    ahead = "" if one["name"] else "none of these; nearest "
    after = ", ".join(f"{name} {score:.2f}" for name, score in one["runners_up"])
    after = f"; then {after}" if after else ""
    return (
        f"{ahead}{one['best']}  score {one['score']:.2f}, q {one['q']:.3g}{after} "
        f"({one['n_spots']} spots)"
    )
