"""When something can first be seen of a run: before training, in training, at its end.

    python benchmarks/first_look.py FILE -k 7 [--method stagate] [--semantics builtin]

Runs once, as the dock does, and prints processor and wall seconds from the start of
preparing: to the first look (components averaged over neighbours), to the first look at
what the network learnt, which was the first of all before 0.1, and to the domains.
Reading the file and importing torch come before.
"""

from __future__ import annotations

import argparse
import time

from napari_semst.config import Request
from napari_semst.core.progress import RunControl
from napari_semst.domains.provisional import ProvisionalDomains
from napari_semst.io.read import read
from napari_semst.pipeline.run import find_domains


def _looks(file: str, k: int, method: str, semantics: str) -> None:
    import torch  # noqa: F401 - not counted: the dock has it by then

    tissue, control = read(file), RunControl()
    control.snapshot_every(3.0)
    request = Request().with_settings("domains", n_domains=k)
    request = request.with_settings("model", method=method)
    request = request.with_settings("semantics", source=semantics)
    provisional, told = ProvisionalDomains(k), set()
    clocks = time.process_time(), time.perf_counter()

    def tell(what: str) -> None:
        spent, passed = time.process_time() - clocks[0], time.perf_counter() - clocks[1]
        print(f"{what:24} {spent:7.1f} CPU s {passed:7.1f} s", flush=True)

    for event in find_domains(tissue, request, control):
        if event.latent is not None:
            provisional.labels(event.latent)
            if event.stage not in told:
                told.add(event.stage)
                tell(f"first look in {event.stage}")
    tell("domains")


if __name__ == "__main__":
    asked = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    asked.add_argument("file")
    asked.add_argument("-k", type=int, required=True)
    asked.add_argument("--method", default="semst")
    asked.add_argument("--semantics", default="builtin")
    given = asked.parse_args()
    _looks(given.file, given.k, given.method, given.semantics)
