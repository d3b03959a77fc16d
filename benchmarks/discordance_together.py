"""Score discordance of several simulated sections read together.

Each cohort has three sections in which nothing is planted and two others, with strong
regions in one or (every other cohort) in both. They are read with the three as
reference, with all teaching each other, with one as reference, and one by one, as a run
of a single section reads them. Then two images are swapped, one of the reference and
one of the others, and another one is moved by a twentieth of the picture. The map does
not depend on the network, which is not trained here. Seeds below 100 were looked at
while the method was made.

    python benchmarks/discordance_together.py [--first 130] [--cohorts 6] [--spots 1500]
        [--both] [--ways reference,all,alone]
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace

import numpy as np
from discordance import rings_around

from napari_semst import simulated_discordance
from napari_semst.config import Request
from napari_semst.core.progress import RunControl, run_to_end
from napari_semst.core.threads import threads_limited
from napari_semst.io.concat_sections import join_sections
from napari_semst.methods.image_guided.discordance import measure_discordance
from napari_semst.methods.image_guided.inputs import guided_inputs
from napari_semst.methods.image_guided.together import measure_together
from napari_semst.morphology.describe import describe_morphology
from napari_semst.pipeline.run import prepared
from napari_semst.prepare.graphs import touching_graph

REQUEST = Request(preset="image-guided").with_settings("domains", n_domains=7)
PLANTED = (("programme", "precancer"), ("infiltration",))


def drawn(first: int, options: argparse.Namespace) -> dict[str, object]:
    """Return three reference sections and two others, by name."""
    second = options.both or (first // 5) % 2 == 0
    kinds = [(), (), (), PLANTED[0], PLANTED[1] if second else ()]
    return {
        f"{'reference' if number < 3 else 'test'}{number}": simulated_discordance(
            options.spots,
            seed=first + number,
            kinds=kind,
            strength="strong",
            cohort=first,
        )
        for number, kind in enumerate(kinds)
    }


def found_in(tissue, reference: str):
    """Return what is found, the section, and seconds of the map."""
    control, request = RunControl(), REQUEST
    if reference:
        request = request.with_settings("image_guided", reference=reference)
    config, section, _ = run_to_end(prepared(tissue, request, control))
    read = describe_morphology(tissue, section.coordinates, config, control)
    section = section.with_morphology(run_to_end(read))
    inputs = guided_inputs(section, config)
    several = len(section.sections.names) > 1
    measure = measure_together if several else measure_discordance
    began, none = time.perf_counter(), np.zeros((section.n_spots, 1), np.float32)
    found = run_to_end(measure(inputs, section, none, control))
    return found, section, time.perf_counter() - began


def scored(found, section, obs) -> list[dict[str, object]]:
    """Return a row for each section that was compared."""
    from sklearn.metrics import roc_auc_score

    true = obs["discordant"].to_numpy(bool)
    kind = obs["discordance_kind"].astype(str).to_numpy()
    rings = rings_around(true, touching_graph(section.average))
    rows = []
    for number, name in enumerate(section.sections.names):
        own = (section.sections.codes == number) & np.isfinite(found.p_value)
        if not own.any():
            continue
        regions = [one.spots for one in found.regions if own[one.spots].all()]
        row: dict[str, object] = {
            "section": name,
            "regions": len(regions),
            "false_regions": sum(bool(true[one].mean() < 0.2) for one in regions),
            "called": int(found.discordant[own].sum()),
            # Outside of what is planted, and more than a ring and two of spots away.
            "called_false": [
                int(found.discordant[own & (rings > far)].sum()) for far in range(3)
            ],
            "p_up_to_0.01": share_up_to(found.p_value[own & ~true]),
            "p_unexplained_up_to_0.01": share_up_to(found.p_unexplained[own & ~true]),
        }
        for one in sorted(set(kind[own]) - {"none"}):
            region, rest = own & (kind == one), own & ~true
            row[f"{one}_called"] = round(float(found.discordant[region].mean()), 2)
            inside = [region[spots].sum() / region.sum() for spots in regions]
            row[f"{one}_in_a_region"] = round(float(max(inside, default=0)), 2)
            maps = (
                ("contradicts", found.contradiction),
                ("unexplained", found.unexplained),
            )
            for map_name, values in maps:
                known = (region | rest) & np.isfinite(values)
                if (region & known).any():
                    score = roc_auc_score(region[known], values[known])
                    row[f"{one}_auroc_{map_name}"] = round(float(score), 3)
        rows.append(row)
    return rows


def share_up_to(p_value) -> float | None:
    """Return the share of p-values of at most 0.01."""
    known = p_value[np.isfinite(p_value)]
    return round(float((known <= 0.01).mean()), 3) if len(known) else None


def verdicts(found) -> dict[str, list[object]]:
    """Return what is said of each section's image."""
    return {one.name: [one.image.verdict, one.image_of] for one in found.sections}


def swapped(tissues: dict, one: str, other: str) -> dict:
    """Return sections of which two have each other's image."""
    changed = {name: tissue.copy() for name, tissue in tissues.items()}
    changed[one].uns["spatial"] = tissues[other].uns["spatial"]
    changed[other].uns["spatial"] = tissues[one].uns["spatial"]
    return changed


def moved(tissues: dict, name: str) -> dict:
    """Return sections of which one has its image a twentieth beside its spots."""
    changed = dict(tissues)
    changed[name] = tissues[name].copy()
    (entry,) = changed[name].uns["spatial"].values()
    picture = entry["images"]["hires"]
    entry["images"]["hires"] = np.roll(picture, len(picture) // 20, axis=1)
    return changed


def measured(first: int, options: argparse.Namespace) -> None:
    """Print a line for each way in which a cohort is read."""
    tissues = drawn(first, options)
    names = list(tissues)
    whole = join_sections(tissues)

    def say(way: str, rows: object, seconds: float, **more: object) -> None:
        line = {"seed": first, "way": way, "seconds": round(seconds, 1), "rows": rows}
        print(json.dumps(line | more), flush=True)

    ways = {"reference": ",".join(names[:3]), "all": "", "one reference": names[0]}
    for way, reference in ways.items():
        if way not in options.ways:
            continue
        found, section, seconds = found_in(whole, reference)
        say(way, scored(found, section, whole.obs), seconds, images=verdicts(found))
    for name in names[3:] if "alone" in options.ways else ():
        found, section, seconds = found_in(tissues[name], "")
        section = replace(section, sections=section.sections._replace(names=(name,)))
        say("alone", scored(found, section, tissues[name].obs), seconds)
    for way, changed in (
        ("swapped", swapped(tissues, names[1], names[4])),
        ("moved", moved(tissues, names[3])),
        ("moved reference", moved(tissues, names[0])),
    ):
        if "images" not in options.ways:
            break
        found, section, seconds = found_in(join_sections(changed), ",".join(names[:3]))
        regions = len(found.regions)
        say(way, regions, seconds, images=verdicts(found))


def main() -> None:
    """Print what is found in each cohort."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--first", type=int, default=130)
    parser.add_argument("--cohorts", type=int, default=6)
    parser.add_argument("--spots", type=int, default=1500)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--both", action="store_true", help="regions in both others")
    parser.add_argument(
        "--ways", type=lambda text: text.split(","), help="of those below",
        default=["reference", "all", "one reference", "alone", "images"],
    )  # fmt: skip
    options = parser.parse_args()
    with threads_limited(options.threads):
        for number in range(options.cohorts):
            measured(options.first + 5 * number, options)


if __name__ == "__main__":
    main()
