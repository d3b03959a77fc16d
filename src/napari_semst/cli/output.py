"""What the command line says while it works and when it is done."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from napari_semst.core.progress import PRIVACY, Progress, Returned, told

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from pathlib import Path

    from napari_semst.pipeline.result import DomainResult


_STAGE_NAMES = {
    "prepare": "Preparing",
    "morphology": "Histology",
    "describe": "Genes speak",
    "train": "Training",
    "discordance": "Comparing with the image",
    "assign": "Domains",
    "explain": "Explaining",
}
_SCORES_SHOWN = ("ari", "nmi", "acc", "chaos", "pas")


def report(
    sources: Sequence[Path],
    n_genes: int,
    result: DomainResult,
    scores: dict[str, float],
    written: list[str],
) -> dict[str, Any]:
    """Return the machine-readable account of a run."""
    import numpy as np

    facts = result.provenance
    sizes = np.bincount(result.codes).tolist()
    rounded = {key: round(value, 4) for key, value in scores.items()}
    truth = {k: rounded.pop(k) for k in list(rounded) if k not in _SPATIAL}
    account = {
        "input": str(sources[0]) if len(sources) == 1 else list(map(str, sources)),
        "n_spots": len(result.codes),
        "n_genes": n_genes,
        "n_domains": len(result.names),
        "domain_sizes": dict(zip(result.names, sizes, strict=True)),
        "method": facts["config"]["model"]["method"],
        "preset": facts["config"]["preset"],
        "readout": facts["config"]["domains"]["readout"],
        "seed": facts["seed"],
        "semantics": _semantics(facts["semantics"]),
        "coverage": facts["semantics"].get("coverage"),
        "device": facts["device"],
        "section": facts["section"],
        "epochs": facts["training"]["epochs"],
        "losses": {n: round(curve[-1], 6) for n, curve in facts["losses"].items()},
        "seconds": facts["seconds"],
        "peak_memory_mb": peak_memory_mb(),
        "spatial_scores": rounded,
        "warnings": facts["warnings"],
        "written": written,
    }
    if (found := of_image(result)) is not None:
        account["image"] = found
    if "number_of_domains" in facts:
        account["number_of_domains"] = facts["number_of_domains"]
    return {**account, "scores": truth} if truth else account


def of_image(result: DomainResult) -> dict[str, Any] | None:
    """Return what a run says of the image: discordance, and spots without one.

    Parameters
    ----------
    result
        Of any run.

    Returns
    -------
    dict or None
        `None` where neither an image was read nor the method compares with one.
    """
    import numpy as np

    facts = result.provenance
    settings, trained = facts["config"], facts["training"]
    guided = settings["model"]["method"] == "image-guided"
    if result.morphology is None and not guided:
        return None
    told: dict[str, Any] = {
        "encoder": settings["morphology"]["encoder"],
        "spots": len(result.codes),
    }
    if result.morphology is not None:
        codes, names = result.morphology.reasons()
        unusable = codes[~result.morphology.usable]
        counts = np.bincount(unusable, minlength=len(names))
        told["unusable"] = len(unusable)
        told["reasons"] = {
            name: int(count) for name, count in zip(names, counts, strict=True) if count
        }
        told["pixels_per_spot"] = {
            name: one["pixels_per_spot"]
            for name, one in facts["morphology"].get("images", {}).items()
        }
    if guided:
        told["dimensions"] = trained["latent_dimensions"]
        told["active_dimensions"] = trained["active_dimensions"]
    if result.discordance is not None:
        told["discordant"] = int(result.discordance.discordant.sum())
        told["fdr"] = settings["image_guided"]["discordance_fdr"]
        told["predicted"] = trained["predicted_by_image"]
    return told


def _image_words(told: dict[str, Any]) -> list[str]:
    """Return what a run says of the image, for people."""
    lines = []
    if "discordant" in told:
        compared = told["spots"] - told["unusable"]
        lines.append(
            f"  discordance        {told['discordant']} of {compared} spots, at a "
            f"false discovery rate of {told['fdr']:.0%}"
        )
        shares = told["predicted"]
        word = "pattern" if len(shares) == 1 else "patterns"
        several = f"{len(shares)} {word} of expression, the first to {{:.0%}}"
        lines.append(
            "  image predicts     "
            + (several.format(shares[0]) if shares else "nothing of expression")
        )
    elif "dimensions" in told:
        lines.append("  discordance        none: the run was without an image")
    if "unusable" in told:
        why = ", ".join(f"{name} {count}" for name, count in told["reasons"].items())
        missing = told["unusable"]
        text = f"{missing} spots without ({why})" if missing else "of every spot"
        lines.append(f"  image              {told['encoder']}, {text}")
    if "dimensions" in told:
        lines.append(
            f"  latent             {told['active_dimensions']} of "
            f"{told['dimensions']} dimensions active"
        )
    return lines


def _semantics(facts: dict[str, Any]) -> str:
    """Return the name of the source; a control is never taken for a result."""
    control = facts.get("control")
    name = str(facts.get("source", "none"))
    if by := facts.get("computed_by"):
        name = f"{name}, computed by {by.get('source', '?')}: {by.get('model', '?')}"
    return f"{name} (CONTROL: {control})" if control else name


_SPATIAL = ("chaos", "pas", "spatial_silhouette")


def peak_memory_mb() -> float | None:
    """Return the most memory this process has held, in MB; `None` where unknown."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1e6 if sys.platform == "darwin" else 1e3), 1)


def words(account: dict[str, Any]) -> str:
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
        f"  genes              {section['genes']}, {section['spatial_graph']}",
        f"  semantics          {account['semantics']}{covers}",
    ]
    lines += _image_words(account["image"]) if "image" in account else []
    curve = account.get("number_of_domains")
    if curve is not None:
        from napari_semst.domains.choose_k import chosen_in_words

        text = chosen_in_words(curve["chosen"], curve["runners_up"])
        lines.append(f"  number             {text}")
    scores = {**account.get("scores", {}), **account["spatial_scores"]}
    shown = [f"{n} {scores[n]:.3f}" for n in _SCORES_SHOWN if n in scores]
    lines.append(f"  scores             {'  '.join(shown)}")
    lines += [f"  note               {text}" for text in account["warnings"]]
    lines += [f"  wrote              {path}" for path in account["written"]]
    return "\n".join(lines)


def shown(
    steps: Generator[Progress, None, Returned], *, quiet: bool
) -> Generator[Progress, None, Returned]:
    """Pass events on, drawing them on the terminal's error stream.

    Notices stay there, in a terminal as in the log of a job; what is about to leave
    this machine is said even where nothing else is.
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
                if not follows() and (event.notice == PRIVACY or not quiet):
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

        return (yield from told(steps, draw))
