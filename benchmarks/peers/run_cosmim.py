"""CoSMIM, by its defaults for Visium, by its quick start for single cells."""

from __future__ import annotations

import runner


def cosmim_domains(section, k, options):
    """Return the domains of CoSMIM."""
    import cosmim

    visium = section.uns["visium"]
    how = {} if visium else {"strategy": "svg_only", "n_neighbors": 200}
    found = cosmim.run(section, max_labels=k, **how)
    # It drops spots of fewer than five counts.
    labels = found.obs["cosmim"].astype(str).reindex(section.obs_names)
    if labels.isna().any():
        raise SystemExit(f"It dropped {int(labels.isna().sum())} spots.")
    genes = "variable genes" if visium else "genes by Moran's I"
    wide = how.get("n_neighbors", 50)
    return labels.tolist(), (
        f"64 {genes}, 5, 15 and 45 neighbours, 30 components, Leiden over {wide} "
        "neighbours, its search for k"
    )


if __name__ == "__main__":
    runner.main(cosmim_domains)
