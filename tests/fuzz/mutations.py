"""Damages files as disks, networks, spreadsheets and people do: bytes and values."""

from __future__ import annotations

import gzip
import io
import json
import re
import struct
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pandas as pd
from safetensors.numpy import load, save

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Random = np.random.Generator

TEXTS = (".csv", ".tsv", ".txt", ".gem", ".mtx", ".toml")
JSONS = (".json", ".geojson", ".xenium", ".zattrs", ".zgroup", ".zarray")
NUMBERS: tuple[Any, ...] = (
    *(0, -1, 2**31, -(2**63), 2**64 - 1, 0.5),
    *(1e300, -1e300, float("nan"), float("inf"), -float("inf")),
)
WORDS = ("", "abc", "NaN", "-5", "1e300", "9" * 30, "1.5", "é", "a b", '"', "x\0y")
VALUES: tuple[Any, ...] = (10**400, None, True, [], {}, [[[]]], "abc", "", *NUMBERS)


def mutate(root: Path, rng: Random) -> str:
    """Change one file below a path, or the file itself, and return what was done."""
    files = [root] if root.is_file() else sorted(p for p in root.rglob("*"))
    files = [path for path in files if path.is_file() and path.stat().st_size]
    path = files[rng.integers(len(files))]
    # Half of all changes know the format: random bytes seldom get past a checksum.
    changed = mutate_values if rng.random() < 0.6 else mutate_bytes
    told = changed(path, rng)
    return f"{path.relative_to(root.parent)}: {told}"


def mutate_bytes(path: Path, rng: Random) -> str:
    """Change the bytes of a file whatever they mean."""
    content = bytearray(path.read_bytes())
    kinds = ("flip", "truncate", "zero", "repeat", "drop", "noise")
    what, at = pick(kinds, rng), int(rng.integers(len(content)))
    length = int(min(2 ** rng.integers(1, 13), len(content) - at))
    if what == "flip":
        # Headers stand at the start and the end.
        near = (min(at, 200), at, max(0, len(content) - 1 - min(at, 200)))
        for place in {near[rng.integers(3)], near[rng.integers(3)]}:
            content[place] ^= 1 << int(rng.integers(8))
    elif what == "truncate":
        del content[at:]
    elif what == "zero":
        content[at : at + length] = bytes(length)
    elif what == "repeat":
        content[at:at] = content[at : at + length]
    elif what == "drop":
        del content[at : at + length]
    else:
        content[at : at + length] = rng.bytes(length)
    path.write_bytes(bytes(content))
    return f"{what} at byte {at}"


def mutate_values(path: Path, rng: Random) -> str:
    """Change what a file says, in its own format where that is known."""
    name = path.name.removesuffix(".gz")
    if path.name.endswith(".gz"):
        plain = path.with_name(name)
        plain.write_bytes(gzip.decompress(path.read_bytes()))
        told = mutate_values(plain, rng)
        path.write_bytes(gzip.compress(plain.read_bytes()))
        plain.unlink()
        return f"packed, {told}"
    for endings, change in _CHANGES.items():
        if name.endswith(endings):
            return change(path, rng)
    return mutate_bytes(path, rng)


def pick(choices: Any, rng: Random) -> Any:
    """Return one of several."""
    return choices[int(rng.integers(len(choices)))]


def _text(path: Path, rng: Random) -> str:
    lines = path.read_text("utf-8", errors="replace").split("\n")
    separator = "\t" if "\t" in lines[0] or "\t" in lines[-2:][0] else ","
    if path.suffix == ".mtx":
        separator = " "
    at = int(rng.integers(min(len(lines), pick((2, len(lines)), rng))))
    fields = lines[at].split(separator)
    column = int(rng.integers(len(fields)))
    what = pick(
        (
            *("field", "field", "column", "column", "drop line", "swap lines"),
            *("repeat line", "drop column", "swap columns", "longer", "end", "coding"),
        ),
        rng,
    )
    word = pick(WORDS, rng)
    if what == "field":
        fields[column] = word
        lines[at] = separator.join(fields)
    elif what == "longer":
        lines[at] += separator + word
    elif what == "drop line":
        del lines[at]
    elif what == "repeat line":
        lines.insert(at, lines[at])
    elif what == "swap lines":
        other = int(rng.integers(len(lines)))
        lines[at], lines[other] = lines[other], lines[at]
    elif what in ("column", "drop column", "swap columns"):
        lines = [_columns(line, separator, what, column, word) for line in lines]
    if what == "coding":
        code = pick(("utf-16", "latin-1", "utf-8-sig"), rng)
        path.write_bytes("\r\n".join(lines).encode(code, errors="replace"))
        return code
    path.write_bytes(("\r" if what == "end" else "\n").join(lines).encode())
    return f"{what}, line {at}, column {column}, {word!r}"


def _columns(line: str, separator: str, what: str, column: int, word: str) -> str:
    fields = line.split(separator)
    if column >= len(fields) or not line:
        return line
    if what == "drop column":
        del fields[column]
    elif what == "swap columns":
        fields[0], fields[column] = fields[column], fields[0]
    elif re.fullmatch(r"[-\d.eE+]+", fields[column]):
        fields[column] = word
    return separator.join(fields)


def _json(path: Path, rng: Random) -> str:
    value = json.loads(path.read_text("utf-8"))
    changed, told = changed_json(value, rng)
    text = json.dumps(changed)
    if rng.random() < 0.05:
        text, told = "[" * 100_000 + text, "nested deeply"
    path.write_text(text, encoding="utf-8")
    return told


def changed_json(value: Any, rng: Random, depth: int = 0) -> tuple[Any, str]:
    """Return a value of JSON with one part replaced, left out or repeated."""
    if isinstance(value, dict | list) and value and rng.random() < 0.85:
        keys = list(value) if isinstance(value, dict) else list(range(len(value)))
        key = pick(keys, rng)
        if rng.random() < 0.15:
            del value[key]
            return value, f"without {key!r}"
        value[key], told = changed_json(value[key], rng, depth + 1)
        return value, f"{key!r}/{told}"
    if isinstance(value, list) and value and rng.random() < 0.3:
        return [*value, value[0]], "repeated"
    new = pick(VALUES, rng)
    return new, repr(new)[:99]


def _hdf5(path: Path, rng: Random) -> str:
    with h5py.File(path, "r+") as file:
        places: list[str] = []
        file.visit(places.append)
        place = pick(["/", *places], rng)
        item = file[place]
        if rng.random() < 0.15 and place != "/":
            del file[place]
            return f"without {place}"
        if len(item.attrs) and (isinstance(item, h5py.Group) or rng.random() < 0.2):
            name = pick(sorted(item.attrs), rng)
            value = pick(
                (b"abc", "", np.nan, -1, 2**62, [], "array", "csr_matrix"), rng
            )
            item.attrs[name] = value
            return f"{place}@{name} = {value!r}"
        if place == "/":
            item.attrs["encoding-type"] = "abc"
            return "another encoding"
        if isinstance(item, h5py.Group):
            del file[place]
            file[place] = np.arange(3)
            return f"{place} as an array"
        values, told = changed_array(item[()], rng)
        kept = dict(item.attrs)
        del file[place]
        try:
            file[place] = values
        except TypeError:  # letters that HDF5 does not know
            file[place] = np.char.encode(np.asarray(values).astype(str), "utf-8")
        for name, held in kept.items():
            file[place].attrs[name] = held
        return f"{place}: {told}"


def changed_array(values: Any, rng: Random) -> tuple[Any, str]:
    """Return an array with other values, another type or another shape."""
    values = np.array(values)
    what = pick(("value", "value", "all", "type", "fewer", "more", "shape"), rng)
    if what == "type":
        kind = pick(("f2", "f8", "i8", "u1", "S3", "c16", "?"), rng)
        with np.errstate(all="ignore"):
            try:
                return values.astype(kind), f"as {kind}"
            except (TypeError, ValueError):
                return np.zeros(values.shape, kind), f"zeros as {kind}"
    if values.ndim and len(values):
        if what == "fewer":
            left = int(rng.integers(len(values)))
            return values[:left], f"the first {left}"
        if what == "more":
            return np.concatenate([values, values[:1]]), "one more"
    if what == "shape":
        return pick((values[None], values.ravel()[:1].sum(), values.T), rng), "shape"
    flat = values.reshape(-1)
    if not flat.size:
        return values, "nothing"
    at = slice(None) if what == "all" else int(rng.integers(flat.size))
    new = _another(flat, rng)
    with np.errstate(all="ignore"):
        try:
            flat[at] = new
        except (TypeError, ValueError, OverflowError):
            flat[at] = flat[0]
    return flat.reshape(values.shape), f"{what} {new!r}"


def _another(flat: Any, rng: Random) -> Any:
    if flat.dtype.names:
        row = flat[:1].copy()
        field = pick(flat.dtype.names, rng)
        row[field] = _another(np.asarray(row[field]), rng)
        return row[0]
    if flat.dtype.kind in "OSU":
        word = pick(WORDS, rng)
        return word.encode() if isinstance(flat[0], bytes) else word
    if flat.dtype.kind in "iu":
        bounds = np.iinfo(flat.dtype)
        return pick((0, bounds.min, bounds.max, bounds.max // 2), rng)
    return pick(NUMBERS, rng)


def _parquet(path: Path, rng: Random) -> str:
    table = pd.read_parquet(path)
    name = pick(list(table), rng)
    what = pick(("values", "values", "values", "drop", "rename", "rows", "empty"), rng)
    told = ""
    if what == "drop":
        table = table.drop(columns=name)
    elif what == "rename":
        table = table.rename(columns={name: pick(WORDS, rng)})
    elif what == "rows":
        table = table.iloc[np.r_[0, 0 : len(table)]]
    elif what == "empty":
        table = table.iloc[:0]
    else:
        values, told = changed_array(table[name].to_numpy(), rng)
        if np.shape(values) != (len(table),):
            values = pick((None, "abc", b"\xff", np.nan), rng)
        if isinstance(values, np.ndarray) and values.dtype.kind == "c":
            values = values.real
        table[name] = values
    try:
        table.to_parquet(path)
    except Exception:  # noqa: BLE001  mixed types cannot be written: bytes can
        return mutate_bytes(path, rng)
    return f"{what} of {name}, {told}"


def _numpy(path: Path, rng: Random) -> str:
    held = np.load(path, allow_pickle=False)
    if isinstance(held, np.ndarray):
        values, told = changed_array(held, rng)
        np.save(path, values, allow_pickle=False)
        return told
    with held:
        arrays = {name: held[name] for name in held.files}
    told = _arrays(arrays, rng)
    np.savez(path, **arrays)
    return told


def _arrays(arrays: dict[str, Any], rng: Random) -> str:
    name = pick(sorted(arrays), rng)
    if rng.random() < 0.1:
        del arrays[name]
        return f"without {name}"
    arrays[name], told = changed_array(arrays[name], rng)
    arrays[name] = np.ascontiguousarray(arrays[name])
    return f"{name}: {told}"


def _safetensors(path: Path, rng: Random) -> str:
    """Change an array, or what is told beside them, without its checksum."""
    content = path.read_bytes()
    (size,) = struct.unpack("<Q", content[:8])
    about = json.loads(content[8 : 8 + size]).get("__metadata__") or {}
    arrays = load(content)
    if about and rng.random() < 0.5:
        name = pick(sorted(about), rng)
        told = about[name]
        try:
            record = json.loads(told)
            if isinstance(record, dict):
                record.pop("sha256", None)
            record, what = changed_json(record, rng)
            about[name] = json.dumps(record)
        except ValueError:
            about[name] = what = pick(WORDS, rng)
        told = f"{name}: {what}"
    else:
        _without_checksums(about)
        told = _arrays(arrays, rng)
    try:
        path.write_bytes(save(arrays, about))
    except Exception:  # noqa: BLE001  types that no such file can hold
        return mutate_bytes(path, rng)
    return told


def _without_checksums(about: dict[str, str]) -> None:
    for name, text in about.items():
        try:
            record = json.loads(text)
        except ValueError:
            continue
        if isinstance(record, dict):
            record.pop("sha256", None)
            about[name] = json.dumps(record)


def _image(path: Path, rng: Random) -> str:
    """Change an image's numbers, or make another kind of picture of it."""
    from PIL import Image

    what = pick(("bytes", "bytes", "small", "odd"), rng)
    if what == "bytes":
        return mutate_bytes(path, rng)
    size = (1, 1) if what == "small" else (7, 5)
    mode = pick(("L", "RGBA", "1", "P", "I;16"), rng)
    stream = io.BytesIO()
    kind = "TIFF" if path.suffix.startswith(".tif") else "PNG"
    Image.new(mode, size).save(stream, kind)
    path.write_bytes(stream.getvalue())
    return f"{size} {mode}"


_CHANGES: dict[tuple[str, ...], Callable[[Path, Random], str]] = {
    JSONS: _json,
    TEXTS: _text,
    (".h5", ".h5ad", ".gef", ".hdf5"): _hdf5,
    (".parquet",): _parquet,
    (".npy", ".npz"): _numpy,
    (".safetensors",): _safetensors,
    (".png", ".tif", ".tiff"): _image,
}
