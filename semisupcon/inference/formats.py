"""Tables of embeddings as Parquet, npz and CSV, written some rows at a time; equal tables give equal bytes."""

from __future__ import annotations

import importlib
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from semisupcon.errors import UserError
from semisupcon.inference.sheets import ROWS, Sheet
from semisupcon.plain import csv_text

_DAY = (1980, 1, 1, 0, 0, 0)  # the first that a zip archive knows, so that its bytes do not tell when it was made


def write_parquet(sheet: Sheet, path: Path) -> None:
    """Parquet: the embedding is a list of D float32. What the table is of stands in its metadata, ``semisupcon``."""
    arrow, parquet = _pyarrow()
    types = {"U": arrow.string(), "f8": arrow.float64(), "i8": arrow.int64()}
    fields = [(name, types[kind]) for name, kind in sheet.columns.items()]
    fields.append(("embedding", arrow.list_(arrow.float32(), sheet.dim)))
    schema = arrow.schema(fields, metadata={"semisupcon": sheet.about})
    with parquet.ParquetWriter(path, schema, use_dictionary=["path"]) as writer:
        for entries, vectors in sheet.chunks():
            plain = zip(zip(*entries, strict=True), sheet.columns.values(), strict=True)
            columns = [arrow.array(column, types[kind]) for column, kind in plain]
            columns.append(arrow.FixedSizeListArray.from_arrays(arrow.array(vectors.ravel()), sheet.dim))
            writer.write_table(arrow.Table.from_arrays(columns, schema=schema), row_group_size=ROWS)


def write_npz(sheet: Sheet, path: Path) -> None:
    """Npz: an array a column, ``embedding`` (N, D) float32 among them, and ``about``, what the table is of."""
    with zipfile.ZipFile(path, "w", allowZip64=True) as archive:
        for number, (name, kind) in enumerate(sheet.columns.items()):
            if kind == "U":
                kind = f"U{max((len(entry[number]) for entry in sheet.entries()), default=1)}"
            column = (np.array([entry[number] for entry in entries], kind) for entries, _ in sheet.chunks())
            _member(archive, name, np.dtype(kind), (sheet.rows,), column)
        _member(archive, "embedding", np.dtype("f4"), (sheet.rows, sheet.dim), (each for _, each in sheet.chunks()))
        about = np.array(sheet.about)
        _member(archive, "about", about.dtype, (), [about])


def _member(
    archive: zipfile.ZipFile, name: str, dtype: np.dtype[Any], shape: tuple[int, ...], parts: Iterable[Any]
) -> None:
    """One array, part after part. Text is packed, for each of its letters takes four bytes."""
    info = zipfile.ZipInfo(f"{name}.npy", _DAY)
    info.compress_type = zipfile.ZIP_DEFLATED if dtype.kind == "U" else zipfile.ZIP_STORED
    header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    with archive.open(info, "w", force_zip64=True) as file:
        np.lib.format.write_array_header_1_0(file, header)
        for part in parts:
            file.write(part.tobytes())


def write_csv(sheet: Sheet, path: Path) -> None:
    """CSV: the embedding in columns ``e0`` to ``e{D-1}``, with as many digits as give the same float32 back."""
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(csv_text([(*sheet.columns, *(f"e{number}" for number in range(sheet.dim)))]))
        for entries, vectors in sheet.chunks():
            for entry, numbers in zip(entries, vectors.astype(str), strict=True):
                file.write(f"{csv_text([entry])[:-1]},{','.join(numbers)}\n")


def _pyarrow() -> tuple[Any, Any]:
    try:
        return importlib.import_module("pyarrow"), importlib.import_module("pyarrow.parquet")
    except ImportError:
        raise UserError(
            "pyarrow, which writes Parquet, is not installed. Install it with `pip install pyarrow` (or the extra "
            "`parquet` of this package), or write --out=FILE.npz or --out=FILE.csv."
        ) from None


Writing = Callable[[Sheet, Path], None]

WRITERS: dict[str, Writing] = {".parquet": write_parquet, ".npz": write_npz, ".csv": write_csv}
"""By the suffix of the file."""


def writer_for(path: Path) -> Writing:
    """What writes a file of this name.

    Raises:
        UserError: the suffix is none of ``WRITERS``, or pyarrow is missing.
    """
    writer = WRITERS.get(path.suffix.lower())
    if writer is None:
        raise UserError(f"--out={path}: the suffix decides the format, and is one of {', '.join(WRITERS)}.")
    if writer is write_parquet:
        _pyarrow()
    return writer
