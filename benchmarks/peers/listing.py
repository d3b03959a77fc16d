"""Which peers there are, what each needs, and why others are left out."""

from __future__ import annotations

from dataclasses import dataclass

TORCH = "torch==2.13.0"
# The same versions for all peers, so that no difference comes from these.
COMMON = (
    "anndata==0.12.19",
    "numpy==2.4.6",
    "pandas==2.3.3",
    "scanpy==1.11.5",
    "scikit-learn==1.9.1",
    "scipy==1.17.1",
)


@dataclass(frozen=True)
class Peer:
    """A peer, or a recipe of ours (where ``packages`` is empty).

    ``bare`` is installed without its dependencies, whose pins cannot be met; what it
    needs is then among ``packages``.
    """

    name: str
    kind: str
    script: str
    options: tuple[str, ...] = ()
    environment: str = ""
    packages: tuple[str, ...] = ()
    bare: tuple[str, ...] = ()
    imports: tuple[str, ...] = ()
    note: str = ""

    @property
    def ours(self):
        """Whether this is a recipe of the project."""
        return not self.packages


_CELLCHARTER = (
    TORCH,
    *COMMON,
    "squidpy==1.8.2",
    "cellcharter==0.3.7",
    "scvi-tools==1.4.2",
)
_SQUIDPY = (
    *COMMON,
    "igraph==1.0.0",
    "leidenalg==0.11.0",
    "squidpy==1.8.2",
)
# What NichePCA asks for itself: numpy below 2.3.6, leidenalg below 0.11.
_NICHEPCA = (
    TORCH,
    *(package for package in COMMON if not package.startswith("numpy==")),
    "numpy==2.3.5",
    "igraph==0.11.9",
    "leidenalg==0.10.2",
    "torch-geometric==2.8.1",
    "nichepca==0.1.0",
)

PEERS = (
    Peer("semst default", "ours, deep", "", ("default",)),
    Peer("semst quick", "ours, not deep", "", ("quick",)),
    Peer(
        "GraphST",
        "deep",
        "run_graphst.py",
        environment="graphst",
        packages=(TORCH, *COMMON, "graphst-modern==1.1.1.post3"),
        imports=("GraphST.GraphST", "scanpy"),
        note="distribution graphst-modern: the authors' code, dependencies named",
    ),
    Peer(
        "STAGATE",
        "deep",
        "run_stagate.py",
        environment="stagate",
        packages=(
            TORCH,
            *COMMON,
            "scikit-misc==0.5.3",
            "torch-geometric==2.8.1",
            "stagate-modern==1.0.0.post1",
        ),
        imports=("STAGATE_pyG", "scanpy", "skmisc"),
        note="distribution stagate-modern: STAGATE_pyG without torch-sparse",
    ),
    Peer(
        "SpaGCN",
        "deep",
        "run_spagcn.py",
        environment="spagcn",
        packages=(TORCH, *COMMON, "spagcn-modern==1.4.1"),
        imports=("SpaGCN",),
        note="distribution spagcn-modern, in its mode that reproduces SpaGCN 1.2.7",
    ),
    Peer(
        "SpaceFlow",
        "deep",
        "run_spaceflow.py",
        environment="spaceflow",
        packages=(
            TORCH,
            *COMMON,
            "cmcrameri==1.9",
            "gudhi==3.13.0",
            "leidenalg==0.12.0",
            "networkx==2.8.8",
            "scikit-misc==0.5.3",
            "torch-geometric==2.8.1",
        ),
        bare=("SpaceFlow==1.0.4",),
        imports=("SpaceFlow.SpaceFlow",),
        note="installed without its pins (torch 1.9, Python 3.7)",
    ),
    Peer(
        "SpaLP",
        "deep",
        "run_spalp.py",
        environment="spalp",
        packages=(TORCH, *COMMON, "igraph==1.0.0", "leidenalg==0.11.0"),
        bare=("spalp==1.0",),
        imports=("SpaLP.LP", "leidenalg"),
        note="installed without its pins (torch 2.2, numpy 1.26)",
    ),
    Peer(
        "CellCharter (scVI)",
        "deep",
        "run_cellcharter.py",
        ("scvi",),
        "cellcharter",
        _CELLCHARTER,
        imports=("cellcharter", "scvi", "squidpy"),
    ),
    Peer(
        "CellCharter (PCA)",
        "not deep",
        "run_cellcharter.py",
        ("pca",),
        "cellcharter",
        _CELLCHARTER,
        imports=("cellcharter", "scvi", "squidpy"),
    ),
    Peer(
        "BANKSY",
        "not deep",
        "run_banksy.py",
        environment="banksy",
        packages=(*COMMON, "scikit-misc==0.5.3", "pybanksy==1.3.5"),
        imports=("banksy.initialize_banksy", "banksy_utils.umap_pca", "skmisc"),
    ),
    Peer(
        "NichePCA",
        "not deep",
        "run_nichepca.py",
        environment="nichepca",
        packages=_NICHEPCA,
        imports=("nichepca", "scanpy"),
    ),
    Peer(
        "CoSMIM",
        "not deep",
        "run_cosmim.py",
        environment="cosmim",
        packages=(*COMMON, "igraph==1.0.0", "cosmim==1.0.0"),
        imports=("cosmim", "igraph"),
    ),
    Peer(
        "stEDGE",
        "not deep",
        "run_stedge.py",
        environment="stedge",
        packages=(*_SQUIDPY, "stedge==1.1.2"),
        imports=("stEDGE.stEDGE",),
    ),
    Peer(
        "SpatialLeiden",
        "not deep",
        "run_spatialleiden.py",
        environment="spatialleiden",
        packages=(*_SQUIDPY, "spatialleiden==0.4.0"),
        imports=("spatialleiden", "squidpy"),
    ),
    Peer(
        "squidpy niche (cellcharter)",
        "not deep",
        "run_squidpy.py",
        ("cellcharter",),
        "squidpy",
        _SQUIDPY,
        imports=("squidpy",),
    ),
    Peer(
        "squidpy niche (utag)",
        "not deep",
        "run_squidpy.py",
        ("utag",),
        "squidpy",
        _SQUIDPY,
        imports=("squidpy",),
    ),
)

# By their authors' installation instructions; none of these was tried.
NOT_RUN = {
    "SEDR": "no package: its authors run it from the repository",
    "CCST": "no package: scripts in a repository",
    "conST": "no package: notebooks in a repository",
    "DeepST": "no package: its authors run it from the repository",
    "SpaMask": "no package: scripts in a repository",
    "STAligner": "no package; it aligns several sections, this is one",
    "scNiche": "no package; it needs DGL, and by default the types of cells",
    "NicheCompass": "needs gene programmes from outside, fetched while it runs",
    "squidpy niche (neighborhood)": "needs cell types, which a section has not",
}
