"""The table of a comparison."""

from __future__ import annotations

import json

from peers.listing import NOT_RUN

_HEAD = (
    "| method | kind | wall s | CPU s | peak GiB | ARI | NMI | domains | settings |\n"
    "|---|---|---|---|---|---|---|---|---|"
)


def line(row):
    """Return a row for people who wait."""
    if "reason" in row:
        return f"no result: {row['reason']}"
    kept = " (from before)" if row.get("from_before") else ""
    return (
        f"{row['wall_s']} s, CPU {row['cpu_s']} s, {row['peak_gib']} GiB, "
        f"ARI {row['ari']}, NMI {row['nmi']}, {row['domains']} domains{kept}"
    )


def write(folder, about, rows):
    """Write the rows as JSON and as a table."""
    whole = {"about": about, "rows": rows, "not_run": NOT_RUN}
    (folder / "peers.json").write_text(json.dumps(whole, indent=1) + "\n")
    (folder / "peers.md").write_text(table(about, rows))


def table(about, rows):
    """Return the comparison in markdown."""
    done = [row for row in rows if "reason" not in row]
    lines = [
        f"{about['section']}: {about['spots']} spots, {about['annotated']} annotated "
        f"and scored, k {about['k']}, {about['threads']} thread(s), "
        f"Python {about['python']}, {about['machine']}, limits {about['limits']}.",
        "",
        _HEAD,
        *(_cells(row, about["k"]) for row in done),
    ]
    if len(done) < len(rows):
        lines += ["", "Without a result:", ""]
        lines += [f"- {r['name']}: {r['reason']}" for r in rows if "reason" in r]
    lines += ["", "Not run:", ""]
    lines += [f"- {name}: {why}" for name, why in NOT_RUN.items()]
    return "\n".join(lines) + "\n"


def _cells(row, k):
    said = [row["settings"], row["note"]]
    said.append("" if row["domains"] == k else f"{row['domains']} domains, not {k}")
    cells = (
        row["name"],
        row["kind"],
        f"{row['wall_s']:.1f}",
        f"{row['cpu_s']:.1f}",
        f"{row['peak_gib']:.2f}",
        f"{row['ari']:.3f}",
        f"{row['nmi']:.3f}",
        str(row["domains"]),
        "; ".join(part for part in said if part),
    )
    return f"| {' | '.join(cells)} |"
