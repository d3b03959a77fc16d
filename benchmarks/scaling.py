"""Processor seconds and memory of every stage, from a thousand spots to a million.

    python benchmarks/scaling.py --folder FOLDER --figure docs/images/scaling.png
    python benchmarks/scaling.py --preset quick --sizes 8000000 --folder FOLDER

Simulated cells (`semst sample cortex --hard --platform cells`), default settings, from
file to saved domains; every size in a process of its own, beside the memory that was
told beforehand. The input files are kept in the folder and used again. Counts that take
more than a quarter of the memory, or of ``--max-memory``, stay in their file; all do
with ``--in-file``.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_semst.config import Request

STAGES = ("imports", "read", "prepare", "describe", "train", "assign", "save")


def main() -> None:
    options = parsed()
    if options.known:
        draw(json.loads(options.known.read_text(encoding="utf-8")), options.figure)
        return
    if options.one:
        if options.in_file:
            from napari_semst.io.formats import anndata_on_disk

            anndata_on_disk.LARGE_SHARE = 0.0
        print(json.dumps(run_one(options.one, asked(options))))
        return
    options.folder.mkdir(parents=True, exist_ok=True)
    found = []
    for size in options.sizes:
        source = section(options.folder, size, options.genes)
        command = [sys.executable, __file__, "--one", str(source)]
        command += ["--preset", options.preset, "--folder", str(options.folder)]
        command += ["--max-memory", str(options.max_memory)]
        if options.in_file:
            command += ["--in-file"]
        if options.method:
            command += ["--method", options.method]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        found.append({"spots": size, **json.loads(done.stdout.splitlines()[-1])})
        print(row(found[-1]), file=sys.stderr, flush=True)
    print(table(found))
    if options.json:
        options.json.write_text(json.dumps(found, indent=1), encoding="utf-8")
    if options.figure:
        draw(found, options.figure)


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=Path("scaling"))
    parser.add_argument(
        "--sizes", type=int, nargs="+", default=[1_000, 10_000, 100_000, 1_000_000]
    )
    parser.add_argument("--genes", type=int, default=500)
    parser.add_argument("--preset", default="default")
    parser.add_argument("--method", default="")
    parser.add_argument("--max-memory", type=float, default=0.0)
    parser.add_argument("--in-file", action="store_true")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--figure", type=Path)
    parser.add_argument("--known", type=Path, help="Draw the figure of this JSON only.")
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def asked(options: argparse.Namespace) -> Request:
    """Return the settings of a run."""
    from napari_semst.config import Request

    request = Request(options.preset).with_settings("domains", n_domains=7)
    request = request.with_settings("training", max_memory=options.max_memory)
    if options.method:
        request = request.with_settings("model", method=options.method)
    return request


def section(folder: Path, size: int, n_genes: int) -> Path:
    """Return the file of a section of this size, made where it is not there."""
    path = folder / f"cells_{size}_{n_genes}.h5ad"
    if not path.exists():
        command = [sys.executable, "-m", "napari_semst", "sample", "cortex", "--hard"]
        command += ["--platform", "cells", "--spots", str(size)]
        command += ["--genes", str(n_genes), "-o", str(path)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return path


class Watch:
    """Processor seconds and most memory of every stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.gigabytes: dict[str, float] = {}
        # Those of the interpreter's own start are among the imports.
        self.stage, self._since = "imports", 0.0
        threading.Thread(target=self._sample, daemon=True).start()

    def _sample(self) -> None:
        import psutil

        process = psutil.Process()
        while True:
            now = process.memory_info().rss / 2**30
            self.gigabytes[self.stage] = max(now, self.gigabytes.get(self.stage, 0.0))
            time.sleep(0.02)

    def enter(self, stage: str) -> None:
        """Charge what passed to the stage so far."""
        if stage == self.stage:
            return
        now = time.process_time()
        spent = self.seconds.get(self.stage, 0.0)
        self.seconds[self.stage] = spent + now - self._since
        self.stage, self._since = stage, now


def run_one(source: Path, request: Request) -> dict[str, object]:
    """Find the domains of one file, as `semst run` does."""
    watch, began = Watch(), time.perf_counter()
    from napari_semst.core.threads import idle_politely

    idle_politely()
    from sklearn.metrics import adjusted_rand_score

    from napari_semst.core.memory import memory_limited
    from napari_semst.io.export.h5ad import write
    from napari_semst.io.matrices import is_stored
    from napari_semst.io.read import read
    from napari_semst.methods.resolve import resolve
    from napari_semst.methods.spec import method_spec
    from napari_semst.pipeline.forecast import memory_needed
    from napari_semst.pipeline.run import attach, find_domains

    watch.enter("read")
    config = resolve(request)
    by_rows = method_spec(config.model.method).counts_by_rows(config)
    with memory_limited(config.training.max_memory):
        tissue = read(source, on_disk=by_rows)
    on_disk = is_stored(tissue.X)
    values = int((tissue.X.group["data"] if on_disk else tissue.X.data).shape[0])
    told = memory_needed(tissue.n_obs, values, config, on_disk=on_disk)
    steps = find_domains(tissue, config)
    while True:
        try:
            watch.enter(next(steps).stage)
        except StopIteration as end:
            result = end.value
            break
    watch.enter("save")
    attach(tissue, result, inplace=True)
    output = source.with_name("result.h5ad")
    write(tissue, output, overwrite=True, packed_in=source)
    watch.enter("done")
    output.unlink()
    return {
        "seconds": {k: round(v, 2) for k, v in watch.seconds.items()},
        "gigabytes": {k: round(v, 2) for k, v in watch.gigabytes.items()},
        "wall": round(time.perf_counter() - began, 1),
        "ari": round(adjusted_rand_score(tissue.obs["ground_truth"], result.codes), 4),
        "values": values,
        "on_disk": on_disk,
        "told": round(told / 2**30, 2),
    }


def row(found: dict[str, object]) -> str:
    seconds, gigabytes = found["seconds"], found["gigabytes"]
    cells = [f"{found['spots']:,}"]
    cells += [f"{seconds.get(stage, 0):.1f}" for stage in STAGES]
    cells += [f"{sum(seconds.values()):.0f}", f"{found['wall']:.0f}"]
    cells += [f"{max(gigabytes.values()):.2f}"]
    cells += [f"{found['told']:.2f}"]
    return " | ".join([*cells, f"{found['ari']:.3f}"])


def table(found: list[dict[str, object]]) -> str:
    heads = [
        "spots",
        *(f"{s} (CPU s)" for s in STAGES),
        "all (CPU s)",
        "wall (s)",
        "peak (GiB)",
        "told",
        "ARI",
    ]
    lines = [" | ".join(heads), "|".join("---" for _ in heads)]
    return "\n".join(f"| {line} |" for line in [*lines, *map(row, found)])


def draw(found: list[dict[str, object]], path: Path) -> None:
    """Draw time per stage and peak memory over size, with lines of linear growth."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    sizes = [f["spots"] for f in found]
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    for stage in STAGES[1:]:
        seconds = [f["seconds"].get(stage, 0) for f in found]
        left.plot(sizes, seconds, "o-", ms=4, label=stage)
    total = [sum(f["seconds"].values()) for f in found]
    left.plot(sizes, total, "ko-", lw=2, label="all")
    left.set(ylabel="processor seconds", yscale="log")
    left.legend(frameon=False, fontsize=8)
    memory = [max(f["gigabytes"].values()) for f in found]
    right.plot(sizes, memory, "ko-", lw=2)
    for size, held in zip(sizes, memory, strict=True):
        place = {"textcoords": "offset points", "xytext": (0, 8), "ha": "center"}
        right.annotate(f"{held:.1f}", (size, held), fontsize=8, **place)
    right.set(ylabel="peak memory (GiB)", ylim=(0, 1.15 * max(memory)))
    for axes in (left, right):
        axes.set(xlabel="spots", xscale="log", xticks=sizes)
        axes.xaxis.set_major_formatter("{x:,.0f}")
        axes.xaxis.set_minor_locator(mpl.ticker.NullLocator())
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.25)
    figure.savefig(path, dpi=150)


if __name__ == "__main__":
    main()
