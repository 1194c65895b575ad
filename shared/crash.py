"""Named places where a process may be made to die, so that recovery can be shown. No-ops unless armed.

`TRELLIS_CRASH=C3` (or `C3:5`, the fifth time) kills the process the hard way; a test in the same process arms a
point with `armed`, which raises `Crashed` instead.

W1 before commit · W2 after commit before reply · R1 after select · R2 mid-batch · R3 after ack before mark ·
R4 after mark before commit · C1 after fetch · C2 after inbox insert · C3 after effect before commit · C4 after commit
before offset commit · C5 in the revoke callback · C6 after parking before commit · I1 in the middle of
an import's merge · I2 at its end, before its report is kept.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager


class Crashed(BaseException):
    """The process would have died here. Not an Exception: nothing may catch it on the way."""


_raising: dict[str, int] = {}
_killing: dict[str, int] = {}
if _wish := os.environ.get("TRELLIS_CRASH"):
    _name, _, _count = _wish.partition(":")
    _killing[_name] = int(_count or 1)


def point(name: str) -> None:
    """Die here, if this point is armed and its turn has come."""
    if not _killing and not _raising:
        return
    if name in _killing:
        _killing[name] -= 1
        if _killing[name] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
    if name in _raising:
        _raising[name] -= 1
        if _raising[name] == 0:
            raise Crashed(name)


@contextmanager
def armed(name: str, *, time: int = 1) -> Iterator[None]:
    """Raise `Crashed` the `time`-th time the point is reached inside this block."""
    _raising[name] = time
    try:
        yield
    finally:
        _raising.pop(name, None)


def is_armed(name: str) -> bool:
    return name in _raising or name in _killing
