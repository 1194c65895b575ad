"""Reading a collection page by page, so that nobody is missed: what is not certainly whole is read again or given up.

Pages overlap by one object: the first of a page must be the last of the page before. So a set that shifts under the
reader is noticed even where as many objects went as came.
"""

import hashlib
import os
import re
from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from deploy.cli.roster.provider import Provider, PullStopped

TRIES = 3
_FIRST_CHECK = 100_000
_DOUBT = timedelta(days=1)
"""Some compare days where they should compare moments; what is older than this was not filtered at all."""
_NEXT = re.compile(r"""<[^>]*>\s*(?:;[^,]*)?;\s*rel\s*=\s*"?next"?""", re.IGNORECASE)

Item = Mapping[str, Any]


class Torn(Exception):
    """The set changed while it was read; the message says how that showed."""


class NotFiltered(Exception):
    """The provider gives more than the filter asks for: it does not know what changed, nor what went."""


class Sink(Protocol):
    """Takes a collection in; can forget what it took, for another try."""

    def restart(self) -> None:
        """Forget everything taken so far."""

    def take(self, items: Sequence[Item]) -> None:
        """Objects, in the order in which the provider has them."""


@dataclass(frozen=True, slots=True)
class Read:
    """How a collection was read: how many objects, in how many pages, and how often from the start."""

    items: int
    pages: int
    tries: int
    largest_page: int
    """The size the provider cuts its pages to, when it is less than what was asked for; else 0."""


class Reader:
    """Reads collections of one provider."""

    def __init__(self, provider: Provider, limit: int, progress: Callable[[str, int, int | None], None]) -> None:
        self._provider = provider
        self._limit = limit
        self._progress = progress

    async def read(self, name: str, path: str, sink: Sink, since: datetime | None = None) -> Read:
        """A whole collection, or what changed since; verified.

        Raises: Absent, FilterRefused, NotFiltered, PullStopped.
        """
        overlaps = True
        why = ""
        for tries in range(1, TRIES + 1):
            sink.restart()
            one = _Reading(self._provider, name, path, self._limit, since, overlaps=overlaps)
            try:
                await one.run(sink, lambda done, total: self._progress(name, done, total))
            except _Rounded:
                overlaps = False
                why = "it cuts pages at fixed places, and the set changed"
                continue
            except Torn as torn:
                why = str(torn)
                continue
            return Read(one.seen, one.pages, tries, one.largest if one.is_clamped else 0)
        raise PullStopped(
            f"{name} could not be read whole in {TRIES} tries ({why}); nothing was loaded. "
            "Try again when the provider is quiet."
        )


class _Rounded(Exception):
    """The provider rounds offsets down to whole pages: they cannot overlap."""


class _Reading:
    """One try."""

    def __init__(
        self, provider: Provider, name: str, path: str, limit: int, since: datetime | None, *, overlaps: bool
    ) -> None:
        self._provider = provider
        self._name = name
        self._path = path
        self._limit = limit
        self._since = since
        self._overlaps = overlaps
        self._total: int | None = None
        self._first: str | None = None
        self._last: str | None = None
        self._marks = array("Q")
        self._checked_at = _FIRST_CHECK
        self._was_short = False
        self._salt = os.urandom(16)
        self.seen = 0
        self.pages = 0
        self.largest = 0
        self.is_clamped = False

    async def run(self, sink: Sink, progress: Callable[[int, int | None], None]) -> None:
        """Read until the end is certain. Raises: Torn."""
        while True:
            items, has_next = await self._page()
            fresh = self._fresh(items)
            if not fresh:
                if self._total is not None and self.seen != self._total:
                    raise Torn(f"it said {self._total:,} and gave {self.seen:,}")
                break
            for item in fresh:
                self._marks.append(self._mark(item))
            self.seen += len(fresh)
            self._first, self._last = _id(items[0]), _id(fresh[-1])
            self._overlaps &= len(items) > 1  # a page of one object has no room for another's
            self._check_twins()
            if self._total is not None and self.seen > self._total:
                raise Torn(f"it said {self._total:,} and gave {self.seen:,}")
            sink.take(fresh)
            progress(self.seen, self._total)
            # A page that says there is another is asked for it, even when the total says otherwise.
            if not has_next and self.seen == self._total:
                break
            if has_next is False and self._total is None:
                break
        self._check_twins(at_end=True)

    def _check_twins(self, *, at_end: bool = False) -> None:
        """At the end, and now and then: a provider that goes round in circles has none."""
        if at_end or len(self._marks) >= self._checked_at:
            self._checked_at *= 2
            if _has_twice(self._marks):
                raise Torn("an object came twice")

    async def _page(self) -> tuple[list[Item], bool | None]:
        """The next page, and whether the provider says that there is another; None when it does not say."""
        at = max(self.seen - 1, 0) if self._overlaps else self.seen
        params = {"limit": str(self._limit), "offset": str(at)}
        if self._since is not None:
            params["filter"] = f"dateLastModified>'{moment(self._since)}'"
        body, headers = await self._provider.page(self._path, params)
        items = _items(body, self._name)
        self._check_total(headers.get("x-total-count"))
        if self._since is not None and any(not _is_after(one, self._since) for one in items):
            raise NotFiltered
        self.pages += 1
        self.is_clamped |= self._was_short and self._last is not None and items != [] and _id(items[-1]) != self._last
        self._was_short = len(items) < self._limit
        self.largest = max(self.largest, len(items))
        link = headers.get("link")
        return items, None if link is None else _NEXT.search(link) is not None

    def _check_total(self, said: str | None) -> None:
        total = int(said) if said is not None and said.strip().isdigit() else None
        if self.pages and total != self._total:
            raise Torn(f"its size went from {self._total} to {total}")
        self._total = total

    def _fresh(self, items: list[Item]) -> list[Item]:
        """What of a page was not on the page before."""
        if self._last is None:
            return items
        if not self._overlaps:
            if items and _id(items[0]) == self._first:
                raise PullStopped(f"the provider answers every offset of {self._name} alike; nothing was loaded.")
            return items
        if not items:
            # The object that ended the last page is not there any more.
            raise Torn("the set became shorter")
        if _id(items[0]) == self._last:
            return items[1:]
        if _id(items[0]) == self._first:
            raise _Rounded
        raise Torn("the set shifted between two pages")

    def _mark(self, item: Item) -> int:
        digest = hashlib.blake2b(_id(item).encode(), digest_size=8, key=self._salt).digest()
        return int.from_bytes(digest, "little")


def moment(at: datetime) -> str:
    """A time as OneRoster writes it, in milliseconds."""
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"


def _items(body: Any, name: str) -> list[Item]:
    """The collection within an answer: the member of its name, in any letter case, or the first list there is."""
    if isinstance(body, dict):
        members = {key.lower(): value for key, value in body.items()}
        found = members.get(name.lower(), next((one for one in body.values() if isinstance(one, list)), None))
        if isinstance(found, list) and all(isinstance(one, dict) and one.get("sourcedId") for one in found):
            return found
    raise PullStopped(f"{name}: the answer is no collection of OneRoster; nothing was loaded.")


def _id(item: Item) -> str:
    return str(item["sourcedId"])


def _is_after(item: Item, since: datetime) -> bool:
    """Whether an object changed since; one that does not say when is given the benefit of the doubt."""
    try:
        changed = datetime.fromisoformat(str(item.get("dateLastModified")))
    except ValueError:
        return True
    return changed.tzinfo is None or changed > since - _DOUBT


def _has_twice(marks: "array[int]") -> bool:
    import numpy as np

    seen = np.sort(np.frombuffer(marks, dtype=np.uint64)) if marks else np.zeros(0, np.uint64)
    return bool((seen[1:] == seen[:-1]).any())
