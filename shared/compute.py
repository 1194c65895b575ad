"""Where computing happens: one worker process beside the event loop, so that heartbeats and health never starve."""

import asyncio
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import ParamSpec, TypeVar

from shared.errors import Unavailable

P = ParamSpec("P")
R = TypeVar("R")


def _follow_parent() -> None:
    """In the worker: leave Ctrl-C to the platform, and end at once when the platform was killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    platform = multiprocessing.parent_process()

    def follow() -> None:
        if platform is not None:
            platform.join()
        os._exit(1)

    threading.Thread(target=follow, name="follow-parent", daemon=True).start()


class ProcessDied(Unavailable):
    """The computing process died; it is started again for whoever asks next."""


class Compute:
    """One worker process, started at first use and again if it dies. Functions and arguments must be picklable."""

    def __init__(self) -> None:
        self._pool: ProcessPoolExecutor | None = None

    async def run(self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Do this in the worker. ProcessDied when it died on the way: ask again, but not for ever."""
        if kwargs:
            raise TypeError("the worker takes positional arguments only")
        if self._pool is None:
            context = multiprocessing.get_context("forkserver")
            self._pool = ProcessPoolExecutor(1, mp_context=context, initializer=_follow_parent)
        pool = self._pool
        try:
            return await asyncio.get_running_loop().run_in_executor(pool, work, *args)
        except BrokenProcessPool as died:
            if self._pool is pool:
                self._pool = None
            raise ProcessDied from died

    def close(self) -> None:
        """Stop now: what is still computing is given up, and would otherwise hold up the end of this process."""
        if self._pool is not None:
            for worker in list((self._pool._processes or {}).values()):
                worker.kill()
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = None
