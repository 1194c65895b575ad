"""Child processes that are found again: each is recorded with its start time, for a process id alone is soon another's.

A child ends with the process that started it (on Linux by the kernel's own means), and a record that was left behind
still says whom to stop.
"""

import ctypes
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

STOP_SECONDS = 15.0
PR_SET_PDEATHSIG = 1


def start(command: Sequence[str], log: Path, *, environment: Mapping[str, str] | None = None) -> "Process":
    """Start it in the background, its output appended to the log; it ends when we do."""
    with log.open("ab") as said:
        return subprocess.Popen(  # noqa: S603  # our own commands
            command,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            env=None if environment is None else dict(environment),
            start_new_session=True,
            preexec_fn=end_with(os.getpid()),
        )


Process = subprocess.Popen[bytes]


def end_with(parent: int) -> Callable[[], None] | None:
    """Called between fork and exec: has the kernel end the child when its parent is gone, however it went (Linux)."""
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None)

    def ask_kernel() -> None:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    return ask_kernel


def record(file: Path, pid: int, **more: object) -> None:
    """Write down which process this is."""
    unfinished = file.with_suffix(".new")
    unfinished.write_text(json.dumps({"pid": pid, "started": psutil.Process(pid).create_time(), **more}))
    unfinished.replace(file)


def recorded(file: Path) -> tuple[psutil.Process, dict[str, object]] | None:
    """The process of a record, if it is still the same one and alive, with what else was written down."""
    try:
        kept = json.loads(file.read_text())
        process = psutil.Process(kept["pid"])
        if process.create_time() == kept["started"] and process.status() != psutil.STATUS_ZOMBIE:
            return process, kept
    except (OSError, ValueError, KeyError, psutil.NoSuchProcess):
        return None
    return None


def forget(file: Path) -> None:
    """The process of this record has ended."""
    file.unlink(missing_ok=True)


def stop(process: psutil.Process, *, seconds: float = STOP_SECONDS) -> None:
    """Ask it to end; when it has not in time, end it."""
    with suppress(psutil.NoSuchProcess):
        process.terminate()
        try:
            process.wait(seconds)
        except psutil.TimeoutExpired:
            process.kill()
            process.wait(seconds)
