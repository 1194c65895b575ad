"""GraphiQL, the page to ask the graph by hand. It and what it loads need no key; every question it sends does."""

from pathlib import Path

from starlette.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles

_FOLDER = Path(__file__).with_name("graphiql")
_PAGE = (_FOLDER / "index.html").read_text(encoding="utf-8")
_HEADERS = {
    "cache-control": "no-cache",
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        "font-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "vary": "accept",
}


def graphiql() -> Response:
    """The page; it loads only what the gateway itself serves."""
    return HTMLResponse(_PAGE, headers=_HEADERS)


def assets() -> StaticFiles:
    """What the page loads."""
    return StaticFiles(directory=_FOLDER)
