"""Runs of pretrain.py as processes of their own: several at a time, gone on with, and what is wrong with one said."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import shlex
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from semisupcon.bar import bar
from semisupcon.errors import UserError
from semisupcon.evaluation.shipped import shipped
from semisupcon.evaluation.sweep.points import Point
from semisupcon.evaluation.sweep.settings import Settings, differences
from semisupcon.plain import write_json
from semisupcon.running.given import options
from semisupcon.workers import cores

log = logging.getLogger(__name__)

SCRIPT = "pretrain.py"

_NOTE, _LOG, _RUN, _LOCK = "point.json", "pretrain.log", "pretrain", "lock"
_TAIL = 12  # lines of a log that are shown where nothing says what is wrong
_PATIENCE = 20.0  # s that a process is given to end
_BUSY = "another process is at it"
_SHOWN = 12  # options that are named where points differ


@dataclass
class Missing:
    """The points of a sweep that are not finished.

    Args:
        failed: what was wrong, by the point.
        elsewhere: points that another process was at.
    """

    failed: dict[Point, str] = field(default_factory=dict)
    elsewhere: list[Point] = field(default_factory=list)

    def __contains__(self, point: Point) -> bool:
        return point in self.failed or point in self.elsewhere

    def __len__(self) -> int:
        return len(self.failed) + len(self.elsewhere)


class Launcher:
    """Runs the points of a sweep, each in a folder of its name below ``out``.

    A point's folder holds the run of pretrain.py (``pretrain/``), what that said (``pretrain.log``) and what was asked
    for and what that came to (``point.json``). A finished point is not run again. One that was interrupted goes on from
    its last checkpoint, or begins anew where it has none.

    Args:
        out: the folder of the sweep.
        jobs: runs at a time.
        settings: gives what decides a point's run; it has to be ready for calls from several threads.

    Raises:
        UserError: there is no pretrain.py.
    """

    def __init__(self, out: Path, jobs: int, settings: Callable[[Point], Settings]) -> None:
        self.out, self.jobs, self.settings, self.script = out, jobs, settings, shipped(SCRIPT)
        self._running: set[subprocess.Popen[bytes]] = set()
        self._guard = threading.Lock()
        self._stopped = False

    def folder(self, point: Point) -> Path:
        """Of a point."""
        return self.out / point.name

    def checkpoint(self, point: Point) -> Path:
        """What a finished point leaves behind."""
        return self.folder(point) / _RUN / "last.ckpt"

    def check(self, points: Sequence[Point]) -> None:
        """Refuse a folder that holds runs of other options, before anything is started.

        Raises:
            UserError: naming what differs.
        """
        for point in points:
            if wrong := self._other(point):
                raise UserError(wrong)

    def _other(self, point: Point) -> str | None:
        """What is wrong with a folder in which this point was begun with other options, on the line or in a config."""
        there = _note(self.folder(point)).get("settings")
        found = [] if there is None else differences(there, self.settings(point))
        if not found:
            return None
        more = [f"and {len(found) - _SHOWN:,} more"] if len(found) > _SHOWN else []
        told = "\n".join(f"  {each}" for each in [*found[:_SHOWN], *more])
        return (
            f"{self.folder(point)}: this point was run with other options:\n{told}\n"
            "Give the same ones (a config file may have been edited), or another --out."
        )

    def finished(self, point: Point) -> bool:
        """Whether a point is there, whoever ran it."""
        return bool(_note(self.folder(point)).get("finished")) and self.checkpoint(point).is_file()

    def run(self, points: Sequence[Point]) -> Missing:
        """Run all points; those that are not finished then."""
        missing, busy = Missing(), []
        with bar(len(points), "pretraining", "run") as progress, ThreadPoolExecutor(self.jobs) as pool:
            futures = {pool.submit(self._one, point): point for point in points}
            try:
                for future in as_completed(futures):
                    point, wrong = futures[future], future.result()
                    if wrong is _BUSY:
                        busy.append(point)
                    elif wrong is not None:
                        missing.failed[point] = wrong
                        log.warning(f"\n{point.name} failed, and the rest goes on: {wrong}")
                    progress.update()
            except BaseException:
                self._stop()
                pool.shutdown(cancel_futures=True)
                raise
        missing.elsewhere = [point for point in busy if not self.finished(point)]
        return missing

    def _one(self, point: Point) -> str | None:
        """Run a point where it has not been run; what is wrong with it."""
        folder, last = self.folder(point), self.checkpoint(point)
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / _LOCK).open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                return _BUSY
            if wrong := self._other(point):  # begun by another process since it was checked
                return wrong
            if self.finished(point):
                return None
            self._write(point, finished=False)
            if last.is_file():
                where = [f"--resume_from_ckpt={last}"]
            else:
                shutil.rmtree(folder / _RUN, ignore_errors=True)  # stopped before there was anything to go on from
                where = [f"--ckpt_path={folder}", f"--run_name={_RUN}"]
            status = self._call(self._command(point, where), folder / _LOG, lock.fileno())
            if status == 0 and last.is_file():
                self._write(point, finished=True)
                return None
        return f"{complaint(folder / _LOG)}\nAll of it: {folder / _LOG}"

    def _write(self, point: Point, finished: bool) -> None:
        part = self.folder(point) / f"{_NOTE}.part"
        content = {"arguments": point.arguments, "settings": self.settings(point), "finished": finished}
        write_json(part, content)
        part.replace(self.folder(point) / _NOTE)

    def _command(self, point: Point, where: Sequence[str]) -> list[str]:
        shown = any(each.option == "trainer.enable_progress_bar" for each in options(point.arguments))
        quiet = [] if shown else ["--trainer.enable_progress_bar=false"]
        return [sys.executable, str(self.script), *point.arguments, *quiet, *where]

    def _call(self, command: Sequence[str], said: Path, lock: int) -> int:
        """The exit status of a process, whose output goes behind what is in a log; it keeps the lock while it lives."""
        environment = dict(os.environ)
        if self.jobs > 1:
            environment.setdefault("OMP_NUM_THREADS", str(max(1, cores() // self.jobs)))
        with said.open("ab") as output:
            output.write(f"$ {shlex.join(command)}\n".encode(errors="surrogateescape"))
            output.flush()
            with self._guard:
                if self._stopped:
                    return -1
                process = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment, pass_fds=[lock]
                )
                self._running.add(process)
            try:
                return process.wait()
            finally:
                with self._guard:
                    self._running.discard(process)

    def _stop(self) -> None:
        """End what is running: training saves nothing where it is interrupted, so there is nothing to wait for."""
        with self._guard:
            self._stopped = True
            running = list(self._running)
        for process in running:
            process.terminate()
        for process in running:
            try:
                process.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()


def complaint(path: Path) -> str:
    """What the last run in a log says is wrong: its error, else its last line, and more of the last ones below."""
    text = path.read_text(encoding="utf-8", errors="replace").rpartition("\n$ ")[2]
    lines = [line.rstrip() for line in text.splitlines() if line.strip()][1:]  # without the command
    errors = [number for number, line in enumerate(lines) if line.startswith("error: ")]
    if errors:
        return "\n".join(lines[errors[-1] :])
    return "\n".join([lines[-1], *(f"  {line}" for line in lines[-_TAIL:-1])]) if lines else "it said nothing"


def _note(folder: Path) -> dict[str, Any]:
    try:
        return dict(json.loads((folder / _NOTE).read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}
