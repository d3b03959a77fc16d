"""Check what a built wheel holds."""

import sys
import zipfile

NEEDED = (
    "napari_semst/napari.yaml",
    "napari_semst/genes/data/gene_table.npz",
    "napari_semst/genes/data/term_table.npz",
    "napari_semst/genes/data/gene_texts.npz",
    "napari_semst/genes/data/ATTRIBUTION.md",
    "napari_semst/transfer/data/cortex_human.npz",
    "napari_semst/transfer/data/cortex_mouse.npz",
    "napari_semst/py.typed",
    "napari_semst/report/page.html",
    "napari_semst/report/page.css",
)
LARGEST = 8 * 1024**2


def main(path: str) -> int:
    """Return 0 if the wheel holds what it must and nothing else."""
    with zipfile.ZipFile(path) as wheel:
        names = wheel.namelist()
        size = sum(info.compress_size for info in wheel.infolist())
    problems = [f"missing {name}" for name in NEEDED if name not in names]
    problems += [
        f"does not belong: {name}"
        for name in names
        if not name.startswith(("napari_semst/", "napari_semst-"))
        or name.endswith((".h5ad", ".pyc", ".gmt", ".gz"))
    ]
    if size > LARGEST:
        problems.append(f"{size} bytes, more than {LARGEST}")
    for problem in problems:
        print(f"{path}: {problem}", file=sys.stderr)
    print(f"{path}: {len(names)} files, {size / 1024**2:.1f} MiB")
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
