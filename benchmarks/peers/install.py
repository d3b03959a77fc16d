"""An environment of its own for each peer, kept between runs."""

from __future__ import annotations

import json
import subprocess
import sys

from peers import measure

_LIMIT_SECONDS = 30 * 60


class NotInstalledError(Exception):
    """A peer that could not be installed, and why."""


def installed(peer, work):
    """Return the interpreter of the peer's environment, made first where it is missing.

    Raises
    ------
    NotInstalledError
        If pip fails, or if what it installed cannot be imported.
    """
    home = work / "environments" / peer.environment
    python = home / "bin" / "python"
    note = home / "installed.json"
    wanted = {"packages": [*peer.packages, "bare:", *peer.bare], "base": sys.version}
    if note.exists() and json.loads(note.read_text()) == wanted:
        return python
    home.parent.mkdir(parents=True, exist_ok=True)
    log = work / "logs" / f"install-{peer.environment}.txt"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.unlink(missing_ok=True)
    for step in _steps(peer, home, python):
        variables = measure.environment(1, cache_of(python))
        how = measure.run(step, log=log, variables=variables, seconds=_LIMIT_SECONDS)
        if how.code:
            raise NotInstalledError(how.limit or last_words(log))
    note.write_text(json.dumps(wanted))
    return python


def _steps(peer, home, python):
    pip = [str(python), "-m", "pip", "install", "--quiet"]
    yield [sys.executable, "-m", "venv", "--clear", str(home)]
    # Torch by itself first: with it in place no other package can ask for another.
    torch = [package for package in peer.packages if package.startswith("torch==")]
    if torch:
        yield [*pip, *torch]
    yield [*pip, *peer.packages]
    if peer.bare:
        yield [*pip, "--no-deps", *peer.bare]
    # Imported once, so that no run pays for byte code and caches of fonts.
    yield [str(python), "-c", f"import matplotlib.pyplot, {', '.join(peer.imports)}"]


def cache_of(python):
    """Return the folder of caches of an environment."""
    return python.parent.parent / "caches"


def versions(python):
    """Return what is installed, name to version."""
    listed = subprocess.run(
        [str(python), "-m", "pip", "list", "--format", "json"],
        check=True,
        capture_output=True,
        text=True,
    )
    return {one["name"].lower(): one["version"] for one in json.loads(listed.stdout)}


def last_words(log):
    """Return the last line of a log that says something."""
    lines = log.read_text(errors="replace").splitlines()
    said = [line.strip() for line in lines if line.strip()]
    errors = [line for line in said if "Error" in line or line.startswith("ERROR")]
    return (errors or said or ["it said nothing"])[-1][:300]
