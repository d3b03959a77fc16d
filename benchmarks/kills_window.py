"""SIGKILL while spots are named by hand in napari, part of ``kills.py``.

    python benchmarks/kills_window.py edit|restore SECTION OUTPUT LOG [EDITS]

is what is killed, and the start after it: a real window with the dock Explore domains.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

COLUMN = "by_hand"
_BLOCK, _NAMES = 5, 7
# With 150 spots the same names come again after 210 edits; fewer can be told apart.
_MOST_EDITS = 200
# An edit older than this must not be lost.
SECONDS_KEPT = 10.0
_MOMENTS = ("random", "keeping", "saving", "idle")


def codes_after(edits, n_spots):
    """Return the number of each spot's name after so many edits, -1 for none."""
    import numpy as np

    codes = np.full(n_spots, -1)
    for edit in range(edits):
        start = edit * _BLOCK % n_spots
        codes[start : start + _BLOCK] = edit % _NAMES
    return codes


def edits_in(tissue, most):
    """Return how many edits a section holds, None if it is no state that ever was."""
    import numpy as np

    names = tissue.obs[COLUMN].astype(object).where(tissue.obs[COLUMN].notna(), "")
    held = np.array([int(x.removeprefix("region ")) if x else -1 for x in names])
    for edits in range(most, -1, -1):
        if np.array_equal(held, codes_after(edits, len(held))):
            return edits
    return None


# --- in the window


def edit(section, output, log, most):
    """Name spots one block after the other, save in between; never end."""
    import napari
    import numpy as np
    from qtpy.QtCore import QTimer
    from qtpy.QtWidgets import QFileDialog

    from napari_semst.widgets.explore.widget import ExploreDomains
    from napari_semst.widgets.shared.unsaved import keeper_of

    viewer = napari.Viewer()
    dock = ExploreDomains(viewer)
    viewer.window.add_dock_widget(dock)
    viewer.open(section, plugin="napari-semst")
    QFileDialog.getSaveFileName = staticmethod(lambda *_: (output, ""))
    file = open(log, "a", buffering=1)  # noqa: SIM115  until the program is killed
    done = 0

    def step():
        nonlocal done
        if done < most:
            spots = np.zeros(dock.tissue.n_obs, bool)
            start = done * _BLOCK % len(spots)
            spots[start : start + _BLOCK] = True
            dock.state.select(dock.tissue, spots)
            dock.select.assign.column.setEditText(COLUMN)
            dock.select.assign.name.setEditText(f"region {done % _NAMES}")
            dock.select.assign.assign_button.click()
            done += 1
            file.write(f"{done} {time.time()}\n")
            if done == most // 2 and output:
                dock.share.buttons["save"].click()
        elif not keeper_of(viewer).busy and not dock.sharing.files.saving:
            file.write("idle\n")

    timer = QTimer()
    timer.timeout.connect(step)
    timer.start(250)
    napari.run()


def restore(section, output, log):
    """Restore what is offered, save it, and end; say how many edits there were."""
    import napari
    from qtpy.QtCore import QTimer
    from qtpy.QtWidgets import QFileDialog

    from napari_semst.explore.recovery import recovery_folder
    from napari_semst.widgets.explore.widget import ExploreDomains
    from napari_semst.widgets.shared.unsaved import keeper_of

    viewer = napari.Viewer()
    dock = ExploreDomains(viewer)
    viewer.window.add_dock_widget(dock)
    QFileDialog.getSaveFileName = staticmethod(lambda *_: (output, ""))
    facts = {"offers": None}
    begun = time.monotonic()

    def end():
        facts["left"] = sorted(x.name for x in recovery_folder().glob("*"))
        Path(log).write_text(json.dumps(facts))
        os._exit(0)

    def end_when_idle():
        # A copy of what was restored may be on its way; it goes once it is written.
        if keeper_of(viewer).busy:
            QTimer.singleShot(20, end_when_idle)
        else:
            end()

    def on_restored(tissue):
        facts["edits"] = edits_in(tissue, _MOST_EDITS)
        QTimer.singleShot(0, dock.share.buttons["save"].click)

    def look():
        rows = dock.recovery.rows
        if facts["offers"] is None and (rows or time.monotonic() - begun > 20):
            facts["offers"] = [row.work.name for row in rows]
            if rows:
                rows[0].restore_button.click()
            else:
                end()

    dock.recovery.keeper.restored.connect(on_restored)
    dock.sharing.saved.connect(lambda _: QTimer.singleShot(0, end_when_idle))
    dock.recovery.keeper.failed.connect(
        lambda error, _: (facts.update(error=str(error)), end())
    )
    timer = QTimer()
    timer.timeout.connect(look)
    timer.start(50)
    napari.run()


# --- outside of it


class Display:
    """A screen of its own."""

    def __enter__(self):
        read, write = os.pipe()
        self.server = subprocess.Popen(
            ["Xvfb", "-displayfd", str(write), "-screen", "0", "1280x1024x24"],
            pass_fds=[write],
            stderr=subprocess.DEVNULL,
        )
        os.close(write)
        with os.fdopen(read) as said:
            os.environ["DISPLAY"] = f":{said.readline().strip()}"
        return self

    def __exit__(self, *_):
        self.server.terminate()
        self.server.wait()


def start_window(job, *given, log):
    """Start a window in a forked process that has imported napari; return its pid."""
    pid = os.fork()
    if pid:
        return pid
    try:
        os.setsid()
        with open(log, "ab") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        job(*given)
    except BaseException:  # noqa: BLE001  told in the log
        import traceback

        traceback.print_exc()
    finally:
        os._exit(1)


def _until(pid, ready, limit=180.0):
    """Wait until something is so; return whether the process still runs."""
    until = time.monotonic() + limit
    while time.monotonic() < until:
        if os.waitpid(pid, os.WNOHANG)[0]:
            return False
        if ready():
            return True
        time.sleep(0.001)
    return True


def _hidden(folder):
    return folder.is_dir() and any(x.name.startswith(".") for x in os.scandir(folder))


def kill_window(work, inputs, count, seed, told):
    """Kill napari so many times, and start it again."""
    import napari_semst.widgets.explore.widget  # noqa: F401

    chance = random.Random(seed)
    with Display():
        for number in range(count):
            moment = _MOMENTS[number % len(_MOMENTS)]
            told(_kill_once(work / "napari", inputs, moment, chance))


def _kill_once(home, inputs, moment, chance):
    import anndata
    from kills import digest

    shutil.rmtree(home, ignore_errors=True)
    home.mkdir()
    settings, log = home / "settings", home / "edits.txt"
    os.environ["SEMST_SETTINGS"] = str(settings)
    section, before = str(inputs / "one.h5ad"), digest(inputs)
    saved = home / "saved.h5ad"
    output = str(saved) if moment == "saving" else ""
    most = 8 if moment in ("saving", "idle") else _MOST_EDITS
    pid = start_window(edit, section, output, str(log), most, log=home / "out.txt")

    def lines():
        return log.read_text().splitlines() if log.exists() else []

    if not _until(pid, lambda: bool(lines())):
        raise RuntimeError(f"napari did not start; see {home / 'out.txt'}")
    begun, at = time.monotonic(), chance.uniform(0.2, 15.0)
    ready = {
        "random": lambda: time.monotonic() - begun > at,
        "keeping": lambda: (
            time.monotonic() - begun > at / 3 and _hidden(settings / "recovery")
        ),
        "saving": lambda: any(x.name.startswith(".saved") for x in os.scandir(home)),
        "idle": lambda: "idle" in lines(),
    }[moment]
    alive = _until(pid, ready)
    if moment in ("saving", "keeping"):
        time.sleep(chance.choice((0.0, 0.002, 0.01, 0.03)))
    now = time.time()
    if alive:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    faults = [] if alive else ["it had ended"]
    made = [x.split() for x in lines() if x[0].isdigit()]
    done = int(made[-1][0])
    # Those that had the time to be kept.
    sure = max((int(n) for n, t in made if now - float(t) > SECONDS_KEPT), default=0)
    states = {"saved.h5ad": "absent"}
    if saved.exists():
        held = edits_in(anndata.read_h5ad(saved), _MOST_EDITS)
        states["saved.h5ad"] = "new" if held == most // 2 else f"HALF ({held} edits)"
    temporaries = sum(
        x.name.startswith(".")
        for folder in (home, settings / "recovery")
        if folder.is_dir()
        for x in os.scandir(folder)
    )
    facts = _start_again(home, section, sure, done)
    kept = facts.get("edits") or 0
    faults += facts["faults"]
    faults += [f"{x}: {s}" for x, s in states.items() if s.startswith("HALF")]
    if digest(inputs) != before:
        faults.append("AN INPUT HAS CHANGED")
    states["unsaved work"] = "new" if kept else "absent"
    return {
        "command": "napari, unsaved work",
        "moment": moment,
        "states": states,
        "temporaries": temporaries,
        "edits": done,
        "restored": kept,
        "faults": faults,
    }


def _start_again(home, section, sure, done):
    """Start napari again after a kill; return what it found and what is wrong."""
    import anndata

    answer, again = home / "answer.json", home / "again.h5ad"
    job = restore, section, str(again), str(answer)
    pid = start_window(*job, log=home / "out.txt")
    _until(pid, lambda: False)
    if not answer.exists():
        return {"faults": [f"the next start did not end; see {home / 'out.txt'}"]}
    facts = json.loads(answer.read_text())
    faults = [f"the next start: {facts['error']}"] if "error" in facts else []
    edits = facts.get("edits")
    if facts["offers"]:
        if edits is None or not sure <= edits <= done:
            faults.append(f"restored {edits} edits, expected {sure} to {done}")
        elif edits_in(anndata.read_h5ad(again), _MOST_EDITS) != edits:
            faults.append("what was restored was not saved")
        if facts["left"]:
            faults.append(f"left after saving: {facts['left']}")
    elif sure:
        faults.append(f"nothing was offered of {sure} edits")
    return {**facts, "faults": faults}


if __name__ == "__main__":
    job = {"edit": edit, "restore": restore}[sys.argv[1]]
    rest = sys.argv[2:]
    job(*rest[:3], *map(int, rest[3:]))
