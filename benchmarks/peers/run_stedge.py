"""stEDGE, its first three stages with their defaults."""

from __future__ import annotations

import tempfile

import runner


def stedge(section, k, options):
    """Return the domains of stEDGE."""
    import scanpy
    from stEDGE.stEDGE import StEDGE

    # Its package documents none of this; it asks for components of the counts.
    scanpy.pp.normalize_total(section, target_sum=1e4)
    scanpy.pp.log1p(section)
    if section.n_vars > 3000:
        scanpy.pp.highly_variable_genes(section, n_top_genes=3000, subset=True)
    scanpy.pp.pca(section, random_state=0)
    with tempfile.TemporaryDirectory() as folder:
        steps = StEDGE(output_dir=folder)
        steps.run_stage1(section, n_jobs=1)
        steps.run_stage2(section)
        fine = section.obs["fine"].nunique()
        steps.run_stage3(section, target_n_domains=k)
    labels = section.obs["domain"].astype(str).tolist()
    return labels, f"20 resolutions of Leiden, {fine} fine domains merged towards k"


if __name__ == "__main__":
    runner.main(stedge)
