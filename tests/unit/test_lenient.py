"""Request lines that are nearly HTTP are read; everything else is left as it is."""

import pytest

from shared.lenient import encoded

HEADERS = b"\r\nhost: a b c\r\n\r\n"


@pytest.mark.parametrize(
    ("line", "read"),
    [
        (b"GET /x?filter=a='b' AND c='d' HTTP/1.1", b"GET /x?filter=a='b'%20AND%20c='d' HTTP/1.1"),
        ("GET /x?filter=a='é' HTTP/1.1".encode(), b"GET /x?filter=a='%C3%A9' HTTP/1.1"),
        (b"GET /a b HTTP/1.0", b"GET /a%20b HTTP/1.0"),
        (b"GET /x?y=%20 z%zz HTTP/1.1", b"GET /x?y=%20%20z%zz HTTP/1.1"),
    ],
)
def test_an_address_is_encoded_where_it_was_not(line: bytes, read: bytes) -> None:
    assert encoded(line + HEADERS) == read + HEADERS


@pytest.mark.parametrize(
    "data",
    [
        b"GET /x?filter=a='b' HTTP/1.1" + HEADERS,
        b"GET /x y HTTP/2" + HEADERS,
        b"get /x y HTTP/1.1" + HEADERS,
        b"GET x y HTTP/1.1" + HEADERS,
        b'{"a": "b c d"}\r\nGET /x y HTTP/1.1\r\n',
        b"GET /x y z",
        b"",
    ],
)
def test_anything_else_stays_as_it_is(data: bytes) -> None:
    assert encoded(data) == data
