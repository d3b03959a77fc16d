"""What the command line says while it works and when it is done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_semst.core.progress import NOTED, PRIVACY, Progress, Returned, with_callback
from napari_semst.wording import for_shell

if TYPE_CHECKING:
    from collections.abc import Generator


_STAGE_NAMES = {
    "read": "Reading",
    "prepare": "Preparing",
    "morphology": "Histology",
    "describe": "Genes speak",
    "train": "Training",
    "discordance": "Comparing with the image",
    "assign": "Domains",
    "explain": "Explaining",
    "write": "Writing",
    "compare": "Comparing",
}
_SCORES_SHOWN = ("ari", "nmi", "acc", "chaos", "pas")


def format_image(image: dict[str, Any]) -> list[str]:
    """Return what a run says of the image, for people."""
    lines = []
    if "discordant" in image:
        compared = image.get("compared", image["spots"] - image["unusable"])
        lines.append(
            f"  discordance        {image['discordant']} of {compared} spots, at a "
            f"false discovery rate of {image['fdr']:.0%}"
        )
        lines += _regions(image["regions"])
        lines += [
            f"    section {row['name']:<9} {row['says']}"
            for row in image.get("sections", ())
        ]
        if "power" in image:
            lines.append(f"    power             {image['power']}")
        shares = image["predicted"]
        word = "pattern" if len(shares) == 1 else "patterns"
        several = f"{len(shares)} {word} of expression, the first to {{:.0%}}"
        lines.append(
            "  image predicts     "
            + (several.format(shares[0]) if shares else "nothing of expression")
        )
    elif "dimensions" in image:
        lines.append("  discordance        none: the run was without an image")
    if "unusable" in image:
        why = ", ".join(f"{name} {count}" for name, count in image["reasons"].items())
        missing = image["unusable"]
        text = f"{missing} spots without ({why})" if missing else "of every spot"
        lines.append(f"  image              {image['encoder']}, {text}")
    if "dimensions" in image:
        lines.append(
            f"  latent             {image['active_dimensions']} of "
            f"{image['dimensions']} dimensions active"
        )
    return lines


def _regions(told: dict[str, list[Any]]) -> list[str]:
    """Return a line for each region of discordance."""
    return [
        f"    region {number:<10} {told['spots'][row]} spots{_of(told, row)}, "
        f"{told['kind'][row]}; "
        f"{told['expected_false'][row]:.2g} as strong expected by chance"
        for row, number in enumerate(range(1, len(told["kind"]) + 1))
    ]


def _of(told: dict[str, list[Any]], row: int) -> str:
    """Return whose region it is, of several sections."""
    return f" of {told['section'][row]}" if "section" in told else ""


def _genes(section: dict[str, Any]) -> str:
    """Return how many genes were read, of sections of different panels by section."""
    own = section.get("own_genes")
    if not own:
        return str(section["genes"])
    return ", ".join(f"{genes} of {name}" for name, genes in own.items())


def format_summary(account: dict[str, Any]) -> str:
    """Return the account for people."""
    sizes = "  ".join(f"{n}: {size}" for n, size in account["domain_sizes"].items())
    seconds, device = sum(account["seconds"].values()), account["device"]
    known = account["coverage"]
    covers = "" if known is None else f", knows {known:.0%} of the genes listed"
    section = account["section"]
    lines = [
        f"{account['n_domains']} domains of {account['n_spots']} spots "
        f"in {seconds:.0f} s ({device['name']}: {device['reason']})",
        f"  spots per domain   {sizes}",
        f"  genes              {_genes(section)}, {section['spatial_graph']}",
        f"  semantics          {account['semantics']}{covers}",
    ]
    if account.get("genes_known"):
        lines.append(f"  gene names         {account['genes_known']}")
    lines += format_image(account["image"]) if "image" in account else []
    curve = account.get("number_of_domains")
    if curve is not None:
        from napari_semst.domains.choose_k import chosen_in_words

        text = chosen_in_words(curve["chosen"], curve["runners_up"])
        lines.append(f"  number             {text}")
    scores = {**account.get("scores", {}), **account["spatial_scores"]}
    shown = [f"{n} {scores[n]:.3f}" for n in _SCORES_SHOWN if n in scores]
    lines.append(f"  scores             {'  '.join(shown)}")
    lines += [f"  note               {for_shell(text)}" for text in account["warnings"]]
    lines += [f"  wrote              {path}" for path in account["written"]]
    return "\n".join(lines)


def show_progress(
    steps: Generator[Progress, None, Returned], *, quiet: bool
) -> Generator[Progress, None, Returned]:
    """Pass events on, drawing them on the terminal's error stream.

    Notices stay there, in a terminal as in the log of a job; what is about to leave
    this machine, and what happened to the run, is said even where nothing else is.
    """
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    from napari_semst.core.process_group import follows

    console = Console(stderr=True)
    bars = Bars(
        TextColumn("{task.description:12}"),
        BarColumn(),
        TextColumn("{task.fields[note]}"),
        TimeRemainingColumn(),
        console=console,
        disable=quiet or not console.is_terminal or follows(),
        transient=True,
    )
    with bars:
        task = bars.add_task("Starting", total=None, note="")

        said: set[str] = set()

        def draw(event: Progress) -> None:
            if event.notice and event.message not in said:
                said.add(event.message)
                if not follows() and (event.notice in (PRIVACY, NOTED) or not quiet):
                    console.print(
                        event.message, markup=False, highlight=False, soft_wrap=True
                    )
            loss = event.metrics.get("loss")
            bars.update(
                task,
                description=_STAGE_NAMES.get(event.stage, event.stage),
                completed=event.step,
                total=event.steps or None,
                note=event.message or (f"loss {loss:.4f}" if loss else ""),
            )

        return (yield from with_callback(steps, draw))
