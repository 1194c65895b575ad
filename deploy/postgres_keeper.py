"""Keeps one PostgreSQL server alive exactly as long as the process that wants it.

Run as a script (`python -I -S postgres_keeper.py UID GID GRACE_SECONDS COMMAND…`), never imported. It starts the
server in the keeper's own session, so that Ctrl-C in a terminal reaches the platform first and the server last; and it
holds the other end of a pipe from the platform. When that pipe closes, by a clean stop or because the platform was
killed, the server gets a fast shutdown. On Linux the kernel does the same should the keeper itself be killed.

Standard output tells the story in lines: `pid N`, then `exit CODE`.
"""

import ctypes
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable

PR_SET_PDEATHSIG = 1
POLL_SECONDS = 0.25


def die_with_parent(parent: int) -> Callable[[], None] | None:
    """Asks the kernel to stop the server when the keeper is gone (Linux); the answer runs between fork and exec."""
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None, use_errno=True)

    def ask_kernel() -> None:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGINT, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    return ask_kernel


def start(command: list[str], uid: int, gid: int) -> "subprocess.Popen[bytes]":
    """Starts the server, as another user when we are root (uid -1: as ourselves)."""
    ask_kernel = die_with_parent(os.getpid())
    nothing = subprocess.DEVNULL
    if uid < 0:
        return subprocess.Popen(command, stdin=nothing, stdout=2, preexec_fn=ask_kernel)  # noqa: S603  # the server, from our own arguments
    return subprocess.Popen(  # noqa: S603  # the server, from our own arguments
        command, stdin=nothing, stdout=2, preexec_fn=ask_kernel, user=uid, group=gid, extra_groups=[]
    )


def tell(line: str) -> None:
    """Reports to the platform, which may be gone already."""
    try:
        os.write(1, line.encode() + b"\n")
    except OSError:
        return


def platform_is_gone(parent: int) -> bool:
    """True once the platform closed its end of the pipe, or died while a child of its own holds that end open."""
    readable, _, _ = select.select([0], [], [], POLL_SECONDS)
    return (bool(readable) and os.read(0, 1) == b"") or os.getppid() != parent


def stop(server: "subprocess.Popen[bytes]", grace_seconds: float) -> None:
    """Fast shutdown first; when that takes too long an immediate one, after which the next start recovers from WAL."""
    server.send_signal(signal.SIGINT)
    try:
        server.wait(grace_seconds)
    except subprocess.TimeoutExpired:
        server.send_signal(signal.SIGQUIT)
        server.wait()


def main(arguments: list[str]) -> None:
    """Starts, watches, stops; deaf to signals, for the pipe alone says when to end."""
    parent = os.getppid()
    uid, gid, grace_seconds = int(arguments[0]), int(arguments[1]), float(arguments[2])
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: None)  # unlike SIG_IGN, a handler is not inherited by the server
    server = start(arguments[3:], uid, gid)
    tell(f"pid {server.pid}")
    while server.poll() is None:
        if platform_is_gone(parent):
            stop(server, grace_seconds)
    tell(f"exit {server.returncode}")


if __name__ == "__main__":
    main(sys.argv[1:])
