"""Folders for files that pass: gone when the work ends, and swept by the next when it was killed instead."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil


@contextmanager
def folder(prefix: str) -> Iterator[Path]:
    """A folder of this process for the length of a block; what the dead of the same prefix left is removed first."""
    _sweep(prefix)
    with tempfile.TemporaryDirectory(prefix=f"{prefix}{os.getpid()}-") as made:
        yield Path(made)


def _sweep(prefix: str) -> None:
    """Remove what a killed process left behind: it holds people's names."""
    for left in Path(tempfile.gettempdir()).glob(f"{prefix}*"):
        owner = left.name.removeprefix(prefix).partition("-")[0]
        if owner.isdigit() and not psutil.pid_exists(int(owner)):
            shutil.rmtree(left, ignore_errors=True)
