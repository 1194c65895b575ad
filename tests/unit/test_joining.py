"""What is written with something after it leaves in one piece, and nothing is held that nothing follows."""

import asyncio

import pytest

from shared.joining import SMALL, Joining


class _Wire(asyncio.Transport):
    """Notes what leaves it."""

    def __init__(self) -> None:
        super().__init__()
        self.left: list[bytes] = []
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.left.append(bytes(data))

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed


@pytest.fixture
def wire() -> _Wire:
    return _Wire()


@pytest.fixture
async def joining(wire: _Wire) -> Joining:
    return Joining(wire, asyncio.get_running_loop())


async def test_a_head_leaves_with_the_body_that_follows(wire: _Wire, joining: Joining) -> None:
    joining.write(b"head ")
    joining.write(b"body")
    joining.write(b"more ")
    joining.write(b"and more")

    assert wire.left == [b"head body", b"more and more"]
    await asyncio.sleep(0)
    assert wire.left == [b"head body", b"more and more"]


async def test_what_is_long_leaves_by_itself_in_its_turn(wire: _Wire, joining: Joining) -> None:
    joining.write(b"head")
    joining.write(b"x" * (SMALL + 1))

    assert wire.left == [b"head", b"x" * (SMALL + 1)]


async def test_what_nothing_follows_leaves_when_the_loop_comes_round(wire: _Wire, joining: Joining) -> None:
    joining.write(b"head")
    joining.write(b"")
    joining.write(b"")
    joining.write(b"piece")
    await asyncio.sleep(0)

    assert wire.left == [b"head", b"piece"]


async def test_what_is_held_leaves_before_the_end_and_nothing_after_it(wire: _Wire, joining: Joining) -> None:
    joining.write(b"head")
    joining.close()
    joining.write(b"too late")
    await asyncio.sleep(0)

    assert (wire.left, wire.closed, joining.is_closing()) == ([b"head"], True, True)
