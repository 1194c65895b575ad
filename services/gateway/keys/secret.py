"""How a key is written: `trl_live_<id>_<secret><checksum>`, letters and digits only.

The secret has 256 bits. The checksum is the CRC-32 of everything before it: scanners of leaked keys, and the door, tell
a fake without asking a database. It protects nothing else.
"""

import hmac
import re
import secrets
import string
import zlib
from dataclasses import dataclass

PREFIX = "trl_live_"
_LETTERS = string.digits + string.ascii_uppercase + string.ascii_lowercase
_ID, _SECRET, _CHECKSUM = 12, 43, 6
_KEY = re.compile(rf"{PREFIX}([0-9A-Za-z]{{{_ID}}})_([0-9A-Za-z]{{{_SECRET}}})([0-9A-Za-z]{{{_CHECKSUM}}})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Key:
    """A key as its holder presents it."""

    id: str
    secret: str

    @property
    def text(self) -> str:
        head = f"{PREFIX}{self.id}_{self.secret}"
        return head + _checksum(head)

    def digest(self, pepper: str) -> bytes:
        """What is kept of the secret: useless to who reads the database, without the pepper."""
        return hmac.digest(pepper.encode(), f"{self.id}:{self.secret}".encode(), "sha256")

    def __repr__(self) -> str:
        return f"Key({self.id!r}, …)"


def new() -> Key:
    """A key nobody has."""
    return Key(_random(_ID), _random(_SECRET))


def renewed(id_: str) -> Key:
    """The same key with another secret."""
    return Key(id_, _random(_SECRET))


def read(text: str) -> Key | None:
    """The key that is written, or None when it cannot be one of ours."""
    written = _KEY.fullmatch(text)
    if written is None:
        return None
    key = Key(written[1], written[2])
    return key if key.text == text else None


def _random(length: int) -> str:
    return "".join(secrets.choice(_LETTERS) for _ in range(length))


def _checksum(text: str) -> str:
    number = zlib.crc32(text.encode())
    digits = []
    for _ in range(_CHECKSUM):
        number, digit = divmod(number, len(_LETTERS))
        digits.append(_LETTERS[digit])
    return "".join(reversed(digits))
