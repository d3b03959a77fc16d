"""What is written otherwise than it is held, and the sentences that say so."""

from __future__ import annotations

from napari_semst.io.checks import abbreviate


class Mends:
    """Collects what was mended so that a file can hold it.

    Parameters
    ----------
    strict_names
        Whether names are to be those that SpatialData takes.
    in_store
        Whether what is written is a zarr store.
    """

    def __init__(self, *, strict_names: bool = False, in_store: bool = False) -> None:
        self.strict_names = strict_names
        self.in_store = in_store
        self._names: dict[str, str] = {}
        self._values: dict[str, str] = {}

    def renamed(self, where: str, name: str) -> None:
        """Take down that an entry has another name in the file.

        Parameters
        ----------
        where
            As ``obs['a/b']``.
        name
            Its name in the file.
        """
        self._names[where] = repr(name)

    def retyped(self, where: str, what: str) -> None:
        """Take down that values are of another type in the file.

        Parameters
        ----------
        where
            As ``uns['made']``.
        what
            What they are there: ``text``.
        """
        self._values[where] = what

    def sentences(self) -> tuple[str, ...]:
        """Return what was mended, for people; nothing where nothing was."""
        found = (
            ("Names that a file cannot hold are others in it", self._names),
            ("Values that a file cannot hold are of another type in it", self._values),
        )
        return tuple(
            f"{what}: {abbreviate([f'{k} as {v}' for k, v in mended.items()])}."
            for what, mended in found
            if mended
        )
