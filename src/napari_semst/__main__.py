"""``python -m napari_semst`` is ``semst``."""

from __future__ import annotations

from napari_semst.cli.main import main

if __name__ == "__main__":
    main()
