"""Requests whose address was not encoded: some clients send a filter with its spaces and accents as they are.

The parser takes such a request line for no HTTP at all. Here its spaces and non-ASCII bytes are encoded before it is
read, which is what the client should have done; nothing else of a request is touched.
"""

from urllib.parse import quote_from_bytes

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_AS_IT_IS = bytes(range(0x21, 0x7F))
_VERSIONS = (b" HTTP/1.1", b" HTTP/1.0")


class LenientRequestLine(HttpToolsProtocol):
    """Reads HTTP, and request lines that are nearly HTTP."""

    def data_received(self, data: bytes) -> None:
        if self.cycle is None or not self.cycle.more_body:  # a request begins here, or goes on before its body
            data = encoded(data)
        super().data_received(data)


def encoded(data: bytes) -> bytes:
    """A request with the address in its first line encoded; anything else as it is."""
    line, ended, rest = data.partition(b"\r\n")
    if not ended or (line.count(b" ") == 2 and line.isascii()):
        return data
    method, _, target = line.partition(b" ")
    if not method.isupper() or not target.startswith(b"/") or not target.endswith(_VERSIONS):
        return data
    address, version = target[:-9], target[-9:]
    return b"".join((method, b" ", quote_from_bytes(address, safe=_AS_IT_IS).encode(), version, ended, rest))
