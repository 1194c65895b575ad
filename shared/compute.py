"""Where computing happens: one worker process beside the event loop, so that heartbeats and health never starve."""

import asyncio
import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import ParamSpec, TypeVar

from shared.errors import Unavailable

P = ParamSpec("P")
R = TypeVar("R")


class Compute:
    """One worker process, started at first use and again if it dies. Functions and arguments must be picklable."""

    def __init__(self) -> None:
        self._pool: ProcessPoolExecutor | None = None

    async def run(self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Do this in the worker. Unavailable when the worker died on the way: ask again."""
        if kwargs:
            raise TypeError("the worker takes positional arguments only")
        if self._pool is None:
            self._pool = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("forkserver"))
        pool = self._pool
        try:
            return await asyncio.get_running_loop().run_in_executor(pool, work, *args)
        except BrokenProcessPool as died:
            if self._pool is pool:
                self._pool = None
            raise Unavailable("The computing process died.") from died

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = None
