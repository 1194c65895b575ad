"""How requests leave a process.

httpx speaks through aiohttp's transport: its own pool does not survive cancelled requests (encode/httpcore#1093).
"""

import ssl
from functools import cache

import httpx
from httpx_aiohttp import AiohttpTransport


@cache
def authorities() -> ssl.SSLContext:
    """Whose certificates are believed. They are many: they are read once a process."""
    return httpx.create_ssl_context()


def carrier() -> AiohttpTransport:
    """What carries a client's requests, with connections of its own."""
    return AiohttpTransport(verify=authorities())
