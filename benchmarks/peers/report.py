"""The table of a comparison."""

from __future__ import annotations

import json
from statistics import median, median_low

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
    """Write the rows as JSON, and their medians as a table.

    Parameters
    ----------
    rows
        Of every peer by its name, one for each time that it was run.
    """
    medians = [middle(several) for several in rows.values() if several]
    whole = {"about": about, "rows": medians, "runs": rows, "not_run": NOT_RUN}
    (folder / "peers.json").write_text(json.dumps(whole, indent=1) + "\n")
    (folder / "peers.md").write_text(table(about, medians))


def middle(several):
    """Return the row of a peer: the medians of its runs, which all had a result.

    Where one had none, that one is returned: no median hides a failure.
    """
    for row in several:
        if "reason" in row:
            return row
    found = dict(several[-1])
    for name in ("wall_s", "cpu_s", "peak_gib", "ari", "nmi"):
        found[name] = median([row[name] for row in several])
    found["domains"] = median_low([row["domains"] for row in several])
    walls = [row["wall_s"] for row in several]
    found["runs"] = len(several)
    found["wall_range_s"] = [min(walls), max(walls)]
    found["ari_range"] = [f([row["ari"] for row in several]) for f in (min, max)]
    return found


def table(about, rows):
    """Return the comparison in markdown."""
    done = [row for row in rows if "reason" not in row]
    lines = [
        f"{about['section']}: {about['spots']} spots, {about['annotated']} annotated "
        f"and scored, k {about['k']}, {about['threads']} thread(s), "
        f"medians of {about['times']} run(s), "
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
        f"{row['wall_s']:.1f}" + _spread(row["wall_range_s"], 1),
        f"{row['cpu_s']:.1f}",
        f"{row['peak_gib']:.2f}",
        f"{row['ari']:.3f}" + _spread(row["ari_range"], 3),
        f"{row['nmi']:.3f}",
        str(row["domains"]),
        "; ".join(part for part in said if part),
    )
    return f"| {' | '.join(cells)} |"


def _spread(ends, digits):
    """Return from where to where runs went, nothing where they agree."""
    least, most = (f"{end:.{digits}f}" for end in ends)
    return "" if least == most else f" ({least} to {most})"
