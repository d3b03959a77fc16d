"""Check that each lower bound of pyproject.toml is the release locked as oldest."""

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def release(text: str) -> tuple[int, ...]:
    """Return a release as numbers, zeros at its end left out."""
    return tuple(map(int, re.sub(r"(\.0)+$", "", text).split(".")))


def main() -> int:
    """Return 1, and say which, if bounds were not tried."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = (ROOT / ".ci/locks/oldest.txt").read_text().splitlines()
    locked = dict(line.split("==") for line in lines)
    extras = project["optional-dependencies"].values()
    wanted = [*project["dependencies"], *(line for extra in extras for line in extra)]
    problems = []
    for requirement in wanted:
        if 'python_version >= "3.12"' in requirement:
            continue  # the oldest releases are tried on 3.11
        name = re.match(r"[\w-]+", requirement).group().lower()
        bound = re.search(r"[>=]=([\d.]+)", requirement).group(1)
        if release(bound) != release(locked[name]):
            problems.append(f"{name}: {bound} is allowed, {locked[name]} was tried")
    print(*problems, sep="\n", file=sys.stderr)
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main())
