"""A file from the platform: it comes whole, or the one that was there stays."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from deploy.cli import show
from deploy.cli.door import opened
from deploy.cli.options import wait_for

Found = TypeVar("Found")


def fetched(
    url: str, key: str, path: str, params: Mapping[str, str], out: Path, check: Callable[[Path], Found]
) -> tuple[Mapping[str, str], Found]:
    """Fetch what `path` answers into `out`, once `check` has found it whole: the headers, and what the check found."""
    partial = out.with_name(f"{out.name}.partial")

    async def work() -> Mapping[str, str]:
        async with opened(url, key) as door:
            with show.progress() as bar, partial.open("wb") as into:
                return await door.fetch(path, params, into, lambda size: bar.show(f"{size / 1e6:,.1f} MB"))

    try:
        headers = wait_for(work())
        found = check(partial)
        partial.replace(out)
    finally:
        partial.unlink(missing_ok=True)
    return headers, found
