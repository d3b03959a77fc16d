"""SpaceFlow, by its quick start."""

from __future__ import annotations

import tempfile
from pathlib import Path

import runner


def spaceflow(section, k, options):
    """Return the domains of SpaceFlow."""
    from SpaceFlow import SpaceFlow

    flow = SpaceFlow.SpaceFlow(adata=section)
    flow.preprocessing_data(n_top_genes=min(3000, section.n_vars))
    with tempfile.TemporaryDirectory() as folder:
        where = Path(folder)
        flow.train(
            spatial_regularization_strength=0.1,
            z_dim=50,
            lr=1e-3,
            epochs=1000,
            max_patience=50,
            min_stop=100,
            random_seed=42,
            gpu=0,
            embedding_save_filepath=str(where / "embedding.tsv"),
        )

        def labels_at(resolution):
            flow.segmentation(
                domain_label_save_filepath=str(where / "domains.tsv"),
                n_neighbors=50,
                resolution=resolution,
            )
            return [str(label) for label in flow.domains]

        best = runner.closest_resolution(lambda r: len(set(labels_at(r))), k)
        labels = labels_at(best)
    return labels, f"3,000 genes, 50 dimensions, Leiden searched for k ({best:.2f})"


if __name__ == "__main__":
    runner.main(spaceflow)
