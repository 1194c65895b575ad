"""The inside token: used again while it lives, and never for another caller or after its end."""

import time
from dataclasses import replace
from uuid import UUID

import jwt
import pytest

from shared.auth import Caller, Purpose, Tokens
from shared.errors import Unauthenticated

SECRET = "a-secret-of-the-tests-that-is-long-enough"
CALLER = Caller(UUID(int=1), "key:a", frozenset({"roster:read"}), Purpose.INSTRUCTION)


def test_a_caller_keeps_its_token_for_a_while_and_another_gets_another() -> None:
    tokens = Tokens(SECRET)

    first, again = tokens.sign(CALLER), tokens.sign(replace(CALLER))
    other = tokens.sign(replace(CALLER, schools=(UUID(int=2),)))

    assert first == again
    assert other != first
    assert tokens.read(other).schools == (UUID(int=2),)
    assert tokens.read(first) == tokens.read(first) == CALLER


@pytest.mark.parametrize("reads", [1, 2])
def test_a_token_that_has_expired_is_refused_also_when_it_was_read_before(reads: int) -> None:
    tokens = Tokens(SECRET)
    claims = jwt.decode(tokens.sign(CALLER), SECRET, algorithms=["HS256"])
    # Within the five seconds by which clocks may differ, and out of them a moment later.
    token = jwt.encode(claims | {"exp": int(time.time()) - 2}, SECRET, algorithm="HS256")
    for _ in range(reads):
        tokens.read(token)

    time.sleep(3.1)

    with pytest.raises(Unauthenticated):
        tokens.read(token)


def test_a_token_of_another_secret_is_refused_however_often_it_is_shown() -> None:
    token = Tokens(SECRET[::-1]).sign(CALLER)
    tokens = Tokens(SECRET)

    for _ in range(2):
        with pytest.raises(Unauthenticated):
            tokens.read(token)


def test_no_more_than_a_thousand_are_remembered() -> None:
    tokens = Tokens(SECRET)

    for number in range(1_100):
        tokens.read(tokens.sign(replace(CALLER, subject=f"key:{number}")))

    assert len(tokens._signed) == len(tokens._read) == 1_000
