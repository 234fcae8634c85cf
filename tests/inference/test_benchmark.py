"""The benchmark of embedding still runs."""

import os
import re
import sys

import pytest

from benchmarks import embed as benchmark


def test_time_beside_the_forward_alone_is_reported_round_by_round(capsys, monkeypatch):
    monkeypatch.setattr(benchmark, "keep_memory", lambda: None)

    benchmark.main(["--segments", "40", "--rounds", "2", "--small", "--files", "--no-hour", "--batch_size", "8"])

    shown = capsys.readouterr().out
    assert "20 segments of 0.89 s a round, batches of 8, cpu" in shown
    rows = re.findall(r"\| (\w+) \| ([\d.]+) \| ([\d.]+) \| \**([\d.]+)", shown)
    assert [row[0] for row in rows] == ["1", "2", "all"]
    for _, alone, ours, ratio in rows:
        assert float(ratio) == pytest.approx(float(ours) / float(alone), rel=0.2)


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_memory_of_this_process_is_seen():
    assert benchmark.resident(os.getpid()) > 50e6
