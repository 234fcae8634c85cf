"""What is written is read back by NumPy, pandas and pyarrow as it was."""

import json
import sys

import numpy as np
import pandas as pd
import pytest

from semisupcon.errors import UserError
from semisupcon.inference import formats, sheets
from semisupcon.inference.formats import WRITERS, writer_for
from semisupcon.inference.sheets import Sheet

N, D = 10, 5
PATHS = [
    "a.wav",
    'b, "c".mp3',
    "new\nline.wav",
    "back\rslash\\.wav",
    "äöü 音楽.flac",
    " x ",
    "7",
    "nan",
    "None",
    "j.ogg",
]


@pytest.fixture
def sheet(tmp_path, monkeypatch):
    """Ten rows, four in memory at once."""
    monkeypatch.setattr(sheets, "ROWS", 4)
    monkeypatch.setattr(formats, "ROWS", 4)
    rng = np.random.default_rng(0)
    vectors = (rng.standard_normal((N, D)) * 10.0 ** rng.integers(-30, 30, (N, D))).astype(np.float32)
    vectors[3] = 0, -0.0, 1, np.float32(0.1), np.finfo(np.float32).max
    (tmp_path / "vectors").write_bytes(vectors.tobytes())
    rows = [(path, number / 3, number) for number, path in enumerate(PATHS)]
    columns = {"path": "U", "seconds": "f8", "segments": "i8"}
    return Sheet(columns, lambda: iter(rows), tmp_path / "vectors", N, D, '{"version": "0"}\n'), rows, vectors


def as_expected(path, seconds, segments, embedding, rows, vectors):
    assert list(path) == [row[0] for row in rows]
    assert list(seconds) == [row[1] for row in rows]
    assert list(segments) == [row[2] for row in rows]
    assert (np.asarray(embedding, np.float32) == vectors).all()


def test_npz(sheet, tmp_path):
    formats.write_npz(sheet[0], tmp_path / "x.npz")

    with np.load(tmp_path / "x.npz", allow_pickle=False) as found:
        assert set(found) == {"path", "seconds", "segments", "embedding", "about"}
        assert found["embedding"].dtype == np.float32
        assert found["segments"].dtype == np.int64
        as_expected(found["path"], found["seconds"], found["segments"], found["embedding"], *sheet[1:])
        assert json.loads(str(found["about"])) == {"version": "0"}


def test_csv(sheet, tmp_path):
    formats.write_csv(sheet[0], tmp_path / "x.csv")

    found = pd.read_csv(tmp_path / "x.csv", dtype={"path": str}, keep_default_na=False)
    assert list(found) == ["path", "seconds", "segments", *(f"e{number}" for number in range(D))]
    as_expected(found["path"], found["seconds"], found["segments"], found.filter(regex="^e"), *sheet[1:])


def test_parquet(sheet, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    formats.write_parquet(sheet[0], tmp_path / "x.parquet")

    found = pd.read_parquet(tmp_path / "x.parquet")
    assert list(found) == ["path", "seconds", "segments", "embedding"]
    as_expected(found["path"], found["seconds"], found["segments"], np.stack(found["embedding"]), *sheet[1:])
    file = parquet.ParquetFile(tmp_path / "x.parquet")
    assert [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)] == [4, 4, 2]
    assert json.loads(file.schema_arrow.metadata[b"semisupcon"]) == {"version": "0"}
    assert str(file.schema_arrow.field("embedding").type) == "fixed_size_list<element: float>[5]"


@pytest.mark.parametrize("suffix", WRITERS)
def test_written_twice_the_bytes_are_the_same(sheet, tmp_path, suffix):
    for name in ("x", "y"):
        WRITERS[suffix](sheet[0], tmp_path / f"{name}{suffix}")

    assert (tmp_path / f"x{suffix}").read_bytes() == (tmp_path / f"y{suffix}").read_bytes()


def test_the_suffix_decides_in_any_letter_case(tmp_path):
    assert writer_for(tmp_path / "x.NPZ") is formats.write_npz
    with pytest.raises(UserError, match=r"one of \.parquet, \.npz, \.csv"):
        writer_for(tmp_path / "x.pickle")


def test_without_pyarrow_it_is_said_at_once_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UserError, match="pip install pyarrow"):
        writer_for(tmp_path / "x.parquet")
    writer_for(tmp_path / "x.npz")
