"""What the quick method declares of itself."""

from __future__ import annotations

from napari_semst.methods.spec import MethodSpec

SPEC = MethodSpec(
    name="quick",
    label="Quick: expression alone",
    summary="Seconds: components of expression and a mixture; nothing is trained.",
    fit="napari_semst.methods.quick.fit:fit",
    transfer="napari_semst.methods.quick.fit:transfer",
    counts_by_rows=lambda config: True,
    # It has no network that semantics could modulate.
    defaults={"semantics": {"source": "none"}},
)
