"""What a finished run says of itself on the card."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_semst.widgets.find.job import Answer


def summarise(answer: Answer) -> tuple[str, str, str]:
    """Return kind, title and text for the card: a warning if the run warned."""
    result, job = answer.result, answer.job
    title = f"{len(result.names)} domains found in {duration(answer.seconds)}"
    lines = [str(line) for line in result.provenance.get("warnings", ())]
    if not lines:
        return "success", title, f"Kept as run '{job.run}'."
    return "warning", title, "\n".join([f"Kept as run '{job.run}'.", *lines])


def device_line(provenance: Mapping[str, Any]) -> str:
    """Return what was computed on and why, or '' where it is not said."""
    device = provenance.get("device", "")
    if isinstance(device, dict):
        name, reason = device.get("name", ""), device.get("reason", "")
    else:
        name, reason = device, provenance.get("device_reason", "")
    return f"Used {name}. {reason}".strip() if name else ""


def duration(seconds: float) -> str:
    """Return for instance ``42 s`` or ``3 min 5 s``."""
    whole = max(round(seconds), 1)
    if whole < 60:
        return f"{whole} s"
    return f"{whole // 60} min {whole % 60} s"
