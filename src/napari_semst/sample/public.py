"""Public sections, downloaded when they are first asked for."""

from __future__ import annotations

import os
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from napari_semst.errors import InputError

if TYPE_CHECKING:
    from anndata import AnnData

VARIABLE = "SEMST_CACHE"
_HOST = "cf.10xgenomics.com"
_SERVER = f"https://{_HOST}/samples/spatial-exp"
_MATRIX = "filtered_feature_bc_matrix.h5"
# Far above the largest of these files.
_AT_MOST = 400_000_000
_PIECE = 2**20
_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class PublicSection:
    """A Visium section that 10x Genomics publishes under CC BY 4.0.

    Parameters
    ----------
    name
        As 10x Genomics calls it.
    title
        For people.
    version
        Of Space Ranger, part of the address.
    """

    name: str
    title: str
    version: str

    def address(self, file: str) -> str:
        """Return the address of one of its files."""
        return f"{_SERVER}/{self.version}/{self.name}/{self.name}_{file}"


LYMPH_NODE = PublicSection("V1_Human_Lymph_Node", "Human lymph node", "1.1.0")
MOUSE_BRAIN = PublicSection("V1_Adult_Mouse_Brain", "Mouse brain", "1.1.0")


def sections_folder() -> Path:
    """Return where sections are kept: ``SEMST_CACHE``, else the user's cache folder."""
    given = os.environ.get(VARIABLE, "").strip()
    if given:
        return Path(given).expanduser() / "sections"
    from platformdirs import user_cache_path

    return user_cache_path("napari-semst", appauthor=False) / "sections"


def public_section(section: PublicSection) -> AnnData:
    """Return a public section, downloaded once and kept, or raise `InputError`."""
    from napari_semst.io.read import read

    folder = sections_folder() / section.name
    folder.mkdir(parents=True, exist_ok=True)
    matrix, spatial = folder / _MATRIX, folder / "spatial"
    if not spatial.is_dir():
        packed = _download(section, "spatial.tar.gz", folder / "spatial.tar.gz")
        _unpack(packed, folder)
    if not matrix.is_file():
        _download(section, _MATRIX, matrix)
    return read(folder)


def _download(section: PublicSection, file: str, place: Path) -> Path:
    """Download a file, whole or not at all."""
    import httpx

    part = place.with_name(f".{place.name}.{os.getpid()}.part")
    try:
        with (
            httpx.stream(
                "GET", section.address(file), timeout=_SECONDS, follow_redirects=True
            ) as answer,
            part.open("wb") as out,
        ):
            answer.raise_for_status()
            for piece in answer.iter_bytes(_PIECE):
                out.write(piece)
                if out.tell() > _AT_MOST:
                    raise InputError(
                        f"Expected at most {_AT_MOST // 1_000_000} MB from {_HOST} for "
                        f"{section.title}; there is more. Try again later."
                    )
        part.replace(place)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise InputError(_why_not(section, error)) from error
    except OSError as error:
        raise InputError(
            f"Expected to keep {section.title} in {place.parent}; it failed: {error}. "
            f"Name another folder in the environment variable {VARIABLE}."
        ) from error
    finally:
        part.unlink(missing_ok=True)
    return place


def _why_not(section: PublicSection, error: Exception) -> str:
    import httpx

    if isinstance(error, httpx.HTTPStatusError):
        reason = f"the server answered {error.response.status_code}"
    else:
        reason = "no connection"
    return (
        f"Expected to download {section.title} from {_HOST}; {reason}. Connect to the "
        "internet and try again, or open a simulated section."
    )


def _unpack(packed: Path, folder: Path) -> None:
    """Unpack the folder ``spatial`` beside its archive, whole or not at all."""
    import shutil
    import tempfile

    try:
        with (
            tempfile.TemporaryDirectory(dir=folder) as temporary,
            tarfile.open(packed, "r:gz") as archive,
        ):
            inside = Path(temporary) / "spatial"
            inside.mkdir()
            for member in archive:
                name = Path(member.name).name
                found = archive.extractfile(member) if member.isfile() else None
                # Written under its bare name: an archive cannot lead elsewhere.
                if found is not None and Path(member.name).parent.name == "spatial":
                    with (inside / name).open("wb") as out:
                        shutil.copyfileobj(found, out)
            if not any(inside.iterdir()):
                raise tarfile.TarError
            shutil.move(inside, folder / "spatial")
    except (tarfile.TarError, OSError, EOFError) as error:
        raise InputError(
            f"Expected a folder named spatial in {packed.name}; it could not be "
            "unpacked. Try again later."
        ) from error
    finally:
        packed.unlink(missing_ok=True)
