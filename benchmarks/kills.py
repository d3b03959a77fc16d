"""SIGKILL at moments spread over what each command does, and while napari is used.

    python benchmarks/kills.py --work FOLDER [--kills 200] [--seed 0] [--only NAME ...]
        [--json FILE]

Each command is run to its end once, which gives the result that is expected, and then
killed again and again: at a random moment of the time it took, when a hidden temporary
appears beside its outputs, or when an output has just taken its name. Nothing in the
product is hooked: folders are looked at from outside. After each kill:

- every input has the bytes that it had;
- every output is the old one (byte for byte), the new one (opened, and compared with
  the one expected) or absent where there was none; nothing else has its name;
- no child process outlives the command;
- the same command, given again, ends well with the output expected, and leaves no
  hidden file in the folder.

In napari (real docks under Xvfb) spots are named by hand one after the other; the
program is killed while that is kept, while the section is saved, and when it is idle.
The next start must offer what was done, restore it as it was, and lose no edit that was
older than ten seconds (`kills_window.py`).

Commands are forked from a process that has run each of them once, so that a kill meets
the work and not the loading of libraries. It needs Linux, and Xvfb for napari.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import random
import shutil
import signal
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("NUMBA_NUM_THREADS", "1")

import numpy as np
import psutil

MOMENTS = ("random", "temporary", "placed")
# Of ten kills of a command with a written file.
_SHARES = (*["random"] * 4, *["temporary"] * 4, *["placed"] * 2)
SECONDS_LIMIT = 600.0


@dataclass
class Command:
    """A command, what it reads, and what it writes.

    Parameters
    ----------
    name
        For the table.
    arguments
        Of ``semst``; ``{out}`` stands for the folder of outputs.
    outputs
        Names in that folder.
    earlier
        Arguments of the run whose results stand there before; none: there are none.
    again
        What is added when the command is given again.
    share
        Its part of all kills.
    """

    name: str
    arguments: list[str]
    outputs: list[str]
    earlier: list[str] | None = None
    again: list[str] = field(default_factory=list)
    share: float = 1.0


def warm_up(folder, inputs, epochs):
    """Import and compile what the commands need, by doing each once here."""
    import torch

    from napari_semst.cli.main import app

    torch.set_num_threads(1)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    names = {"in": str(inputs), "out": str(folder)}
    for command in commands(min(epochs, 2)):
        given = [x.format(**names) for x in command.arguments]
        with contextlib.suppress(SystemExit):
            app([*given, *({"--overwrite"} - set(given))])
    shutil.rmtree(folder)


def start(arguments, log, folder):
    """Start ``semst`` in a process of its own; return its number."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        os.setsid()
        os.chdir(folder)
        with open(log, "ab") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        with open(os.devnull) as nothing:
            os.dup2(nothing.fileno(), 0)
        sys.argv = ["semst", *arguments]
        from napari_semst.cli.main import main

        main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(bool(end.code))
    finally:
        os._exit(code)


def wait(pid, limit=SECONDS_LIMIT):
    """Return the exit code of a process, negative for a signal."""
    until = time.monotonic() + limit
    while time.monotonic() < until:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.002)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    raise TimeoutError(f"no end within {limit:.0f} s")


def ended(pid):
    return os.waitpid(pid, os.WNOHANG)[0] != 0


def digest(path):
    """Return a hash of a file, or of all files of a folder with their names."""
    found = hashlib.sha256()
    paths = sorted(path.rglob("*")) if path.is_dir() else [path]
    for one in paths:
        if one.is_file():
            found.update(str(one.relative_to(path.parent)).encode())
            found.update(one.read_bytes())
    return found.hexdigest()


def hidden(folder):
    return {x.name for x in os.scandir(folder) if x.name.startswith(".")}


# --- what is in a file


def content(path):
    """Return what a file holds, opened by its own library; it raises if half."""
    kind = path.suffix
    if kind in (".h5ad", ".zarr"):
        import anndata

        tissue = anndata.read_h5ad(path) if kind == ".h5ad" else anndata.read_zarr(path)
        tissue.X.sum()
        labels = {
            c: tissue.obs[c].astype(str).tolist()
            for c in tissue.obs
            if tissue.obs[c].dtype.name == "category"
        }
        parts = {p: sorted(map(str, getattr(tissue, p))) for p in ("obs", "obsm")}
        return tissue.shape, labels, parts, sorted(map(str, tissue.uns))
    if kind == ".png":
        from PIL import Image

        with Image.open(path) as image:
            return image.size, hashlib.sha256(image.tobytes()).hexdigest()
    if kind == ".html":
        text = path.read_text(encoding="utf-8")
        if not text.rstrip().endswith("</html>"):
            raise ValueError("the page has no end")
        return text.count("<section"), text.count("<img"), text.count("<svg")
    if kind == ".npy":
        values = np.load(path, allow_pickle=False)
        return values.shape, float(values.sum())
    if kind == ".npz":
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name].shape for name in sorted(file)}
    if kind == ".safetensors":
        from napari_semst.pipeline.model import load_model

        return type(load_model(path)).__name__
    return path.read_bytes()


def state_of(path, old, expected):
    """Return ``absent``, ``old``, ``new`` or what is wrong with an output."""
    if not os.path.lexists(path):
        return "absent" if old is None else "LOST"
    if old is not None and digest(path) == old:
        return "old"
    try:
        return "new" if content(path) == expected else "DIFFERS"
    except Exception as error:  # noqa: BLE001  whatever a half file makes of a reader
        return f"HALF ({type(error).__name__}: {error})"[:200]


# --- one kill


class Trial:
    """One command, run whole once, then killed."""

    def __init__(self, command, work, inputs, chance):
        self.command, self.inputs, self.chance = command, inputs, chance
        self.home = work / command.name.replace(" ", "-")
        shutil.rmtree(self.home, ignore_errors=True)
        self.home.mkdir()
        self.log = self.home / "log.txt"
        self.before = self.home / "before"
        self.before.mkdir()
        if command.earlier is not None:
            self._end(command.earlier, self.before)
        whole = self._fresh("whole")
        begun = time.monotonic()
        self._end([*command.arguments, *command.again], whole)
        self.seconds = time.monotonic() - begun
        self.expected = {x: content(whole / x) for x in command.outputs}
        self.old = {
            x: digest(self.before / x) if (self.before / x).exists() else None
            for x in command.outputs
        }
        self.inputs_were = digest(inputs)

    def _given(self, arguments, out):
        names = {"out": str(out), "in": str(self.inputs)}
        return [argument.format(**names) for argument in arguments]

    def _end(self, arguments, out):
        code = wait(start(self._given(arguments, out), self.log, self.home))
        if code:
            raise RuntimeError(f"{arguments} ended with {code}; see {self.log}")

    def _fresh(self, name):
        out = self.home / name
        shutil.rmtree(out, ignore_errors=True)
        shutil.copytree(self.before, out)
        return out

    def kill(self, moment):
        """Kill the command once; return what came of it."""
        out = self._fresh("out")
        ids = [p.name for p in out.iterdir()]
        stood = {x: (out / x).stat().st_ino for x in ids}
        given = self._given(self.command.arguments, out)
        pid = start(given, self.log, self.home)
        when = self._await(pid, moment, out, stood)
        if when is None:
            return None
        family = psutil.Process(pid).children(recursive=True)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        _, orphans = psutil.wait_procs(family, timeout=5)
        left = hidden(out)
        states = {
            x: state_of(out / x, self.old[x], self.expected[x])
            for x in self.command.outputs
        }
        # A file of a name that is none of the outputs' is half a file, too.
        strange = {p.name for p in out.iterdir()} - left - set(self.command.outputs)
        faults = [f"{x}: {s}" for x, s in states.items() if s[0].isupper()]
        faults += [f"unexpected file {x}" for x in strange]
        faults += [f"orphan {p.pid}" for p in orphans]
        faults += self._again(out)
        if digest(self.inputs) != self.inputs_were:
            faults.append("AN INPUT HAS CHANGED")
        return {
            "command": self.command.name,
            "moment": moment,
            "seconds": round(when, 4),
            "states": states,
            "temporaries": len(left),
            "faults": faults,
        }

    def _await(self, pid, moment, out, stood):
        """Wait for a moment; return the seconds until then, None if it had ended."""
        begun = time.monotonic()
        at = self.chance.uniform(0, 1) * self.seconds
        later = self.chance.choice((0.0, 0.0, 0.002, 0.01, 0.03))
        number = self.chance.randint(1, max(1, len(self.command.outputs)))
        seen, placed, was = 0, False, set()
        while not ended(pid):
            passed = time.monotonic() - begun
            if passed > SECONDS_LIMIT:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                raise TimeoutError(f"{self.command.name} did not end")
            if moment == "random" and passed >= at:
                return passed
            if moment != "random":
                now = {x.name: x.inode() for x in os.scandir(out)}
                new = {x for x in now if x.startswith(".")} - was
                was |= new
                seen += len(new)
                placed |= any(
                    x[0] != "." and stood.get(x) != inode for x, inode in now.items()
                )
                if placed if moment == "placed" else seen >= number:
                    time.sleep(later)
                    return None if ended(pid) else time.monotonic() - begun
            time.sleep(0.001)
        return None

    def _again(self, out):
        """Return what is wrong once the same command was given again."""
        try:
            self._end([*self.command.arguments, *self.command.again], out)
        except (RuntimeError, TimeoutError) as error:
            return [f"the next run: {error}"]
        faults = [f"the next run left {x}" for x in hidden(out)]
        for x in self.command.outputs:
            state = state_of(out / x, None, self.expected[x])
            faults += [f"the next run, {x}: {state}"] if state != "new" else []
        return faults


def commands(epochs):
    """Return what is killed."""
    given = ["--config", "{in}/short.toml", "-k", "4", "--device", "cpu", "--quiet"]
    run = ["run", "{in}/one.h5ad", *given, "--epochs", str(epochs)]
    side = ["--csv", "{out}/t.csv", "--figure", "{out}/f.png", "--save-model"]
    side += ["{out}/m.safetensors"]
    many = ["run", "{in}/one.h5ad", "{in}/two.h5ad", "{in}/three.h5ad", *given]
    many += ["--preset", "quick", "--output-dir", "{out}"]
    quick = ["run", "{in}/one.h5ad", *given, "--preset", "quick"]
    over, other = ["--overwrite"], ["--seed", "1"]
    sections = [f"{x}_semst.h5ad" for x in ("one", "three", "two")]
    files = ["r.h5ad", "t.csv", "f.png", "m.safetensors"]
    report = ["report", "{in}/done.h5ad", "-o", "{out}/r.html"]
    bring = ["import", "{in}/done.h5ad", "{in}/labels.csv", "-o", "{out}/i.h5ad"]
    model = [*quick, "-o", "{out}/r.h5ad", "--save-model", "{out}/m.safetensors"]
    change = ["convert", "{in}/one.h5ad", "-o"]
    embed = ["embed", "{in}/one.h5ad", "--semantics", "builtin", "-q", "-o"]
    return [
        Command("run", [*run, "-o", "{out}/r.h5ad"], ["r.h5ad"], None, over, 3),
        Command(
            "run, all outputs replaced",
            [*run, "-o", "{out}/r.h5ad", *side, *over],
            files,
            [*run, "-o", "{out}/r.h5ad", *side, *other],
            share=4,
        ),
        Command("cohort", many, sections, share=3),
        Command("cohort, replaced", [*many, *over], sections, [*many, *other], share=2),
        Command(
            "model, replaced",
            [*model, *over],
            ["r.h5ad", "m.safetensors"],
            [*model, *other],
            share=3,
        ),
        Command("embed", [*embed, "{out}/e.npy", *over], ["e.npy"], share=3),
        Command("report", [*report, *over], ["r.html"], report, share=3),
        Command("import", [*bring, *over], ["i.h5ad"], bring, share=3),
        Command(
            "convert to zarr, replaced",
            [*change, "{out}/c.zarr", *over],
            ["c.zarr"],
            [*change, "{out}/c.zarr", "--features", "all"],
            share=4,
        ),
        Command(
            "convert, replaced",
            [*change, "{out}/c.h5ad", *over],
            ["c.h5ad"],
            [*change, "{out}/c.h5ad"],
            share=2,
        ),
    ]


def make_inputs(folder, spots):
    """Write three sections, a finished run and labels."""
    import pandas as pd

    import napari_semst
    from napari_semst.sample import simulated_cortex

    folder.mkdir(parents=True)
    for seed, name in enumerate(("one", "two", "three")):
        tissue = simulated_cortex(spots, 200, seed=seed, image=seed == 0)
        tissue.write_h5ad(folder / f"{name}.h5ad")
    done = ["run", str(folder / "one.h5ad"), "-k", "4", "--preset", "quick", "-q"]
    done += ["-o", str(folder / "done.h5ad")]
    code = wait(start(done, folder.parent / "inputs.txt", folder.parent))
    if code:
        raise RuntimeError(f"the inputs could not be made; see {folder.parent}")
    (folder / "short.toml").write_text("[domains]\nn_starts = 1\n")
    names = napari_semst.read(folder / "one.h5ad").obs_names
    table = pd.DataFrame({"spot": names, "label": [f"r{i % 3}" for i in range(spots)]})
    table.to_csv(folder / "labels.csv", index=False)


# --- all of them


def kill_commands(args, work, inputs, wanted, told):
    chance = random.Random(args.seed)
    chosen = [c for c in commands(args.epochs) if not args.only or c.name in args.only]
    total = sum(c.share for c in chosen)
    for command in chosen:
        trial = Trial(command, work, inputs, chance)
        count = round(wanted * command.share / total)
        moments = [_SHARES[i % len(_SHARES)] for i in range(count)]
        chance.shuffle(moments)
        for moment in moments:
            found = None
            for _ in range(20):  # what had ended by then is no kill
                found = trial.kill(moment)
                if found is not None:
                    break
            told(found or {"command": command.name, "moment": moment, "missed": True})
        shutil.rmtree(trial.home / "out", ignore_errors=True)


def table(records):
    """Return the lines of a table by command and moment."""
    lines = [
        "| command | killed | kills | absent | old | new | hidden files | faults |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name in dict.fromkeys(r["command"] for r in records):
        for moment in dict.fromkeys(r["moment"] for r in records):
            mine = [
                r
                for r in records
                if (r["command"], r["moment"]) == (name, moment) and "missed" not in r
            ]
            if not mine:
                continue
            states = Counter(s for r in mine for s in r["states"].values())
            counts = [states[x] for x in ("absent", "old", "new")]
            cells = [name, moment, len(mine), *counts]
            cells += [sum(r["temporaries"] for r in mine)]
            cells += [sum(bool(r["faults"]) for r in mine)]
            lines.append(f"| {' | '.join(map(str, cells))} |")
    kills = [r for r in records if "missed" not in r]
    faults = [r for r in kills if r["faults"]]
    lines.append(f"\n{len(kills)} kills, {len(faults)} with a fault.")
    for record in faults:
        lines.append(f"{record['command']}, {record['moment']}: {record['faults']}")
    return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--spots", type=int, default=150)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    work = args.work.absolute()
    work.mkdir(parents=True, exist_ok=True)
    os.environ["SEMST_CACHE"] = str(work / "cache")
    os.environ["SEMST_SETTINGS"] = str(work / "settings")
    inputs = work / "inputs"
    if not inputs.exists():
        make_inputs(inputs, args.spots)
    records = []

    def told(record):
        records.append(record)
        print(json.dumps(record), flush=True)
        if args.json:
            args.json.write_text(json.dumps(records, indent=1))

    window = not args.only or "napari" in args.only
    share = 0.2 if window and len(args.only) != 1 else float(window)
    if share < 1:
        warm_up(work / "warm", inputs, args.epochs)
        wanted = round(args.kills * (1 - share))
        kill_commands(args, work, inputs, wanted, told)
    if window:
        import kills_window

        kills_window.kill_window(
            work, inputs, round(args.kills * share), args.seed, told
        )
    print("\n".join(table(records)))
    sys.exit(any(r.get("faults") for r in records))


if __name__ == "__main__":
    main()
