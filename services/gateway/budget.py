"""What a key may spend a minute: a bucket of points for each, that fills up again by itself.

Kept in this process alone: with several replicas a key has as many buckets.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil

from shared.errors import LimitExceeded

WINDOW_SECONDS = 60
_REMEMBERED_KEYS = 10_000


class TooOften(LimitExceeded):
    """This key has spent what it may spend in a minute; wait as long as Retry-After says."""

    def __init__(self, retry_after_seconds: int) -> None:
        super().__init__()
        self.retry_after_seconds = retry_after_seconds


@dataclass(slots=True)
class _Bucket:
    level: float
    at: float


class Budget:
    """The buckets of all keys."""

    def __init__(self, points: int, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._points = points
        self._rate = points / WINDOW_SECONDS
        self._monotonic = monotonic
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def charge(self, subject: str, points: int) -> None:
        """Take points out; TooOften, and nothing taken, when there are not as many."""
        bucket = self._bucket(subject)
        if bucket.level < points:
            raise TooOften(max(1, ceil((points - bucket.level) / self._rate)))
        bucket.level -= points

    def refund(self, subject: str, points: int) -> None:
        """Put points back that were charged and not needed."""
        bucket = self._bucket(subject)
        bucket.level = min(float(self._points), bucket.level + points)

    def headers(self, subject: str) -> dict[str, str]:
        """RateLimit-Policy and RateLimit (IETF draft): `r` points are left, all of them again in `t` seconds."""
        bucket = self._bucket(subject)
        until_full = ceil((self._points - bucket.level) / self._rate)
        return {
            "ratelimit-policy": f'"cost";q={self._points};w={WINDOW_SECONDS}',
            "ratelimit": f'"cost";r={int(bucket.level)};t={until_full}',
        }

    def _bucket(self, subject: str) -> _Bucket:
        now = self._monotonic()
        bucket = self._buckets.get(subject)
        if bucket is None:
            bucket = self._buckets[subject] = _Bucket(float(self._points), now)
            if len(self._buckets) > _REMEMBERED_KEYS:
                self._buckets.popitem(last=False)
        self._buckets.move_to_end(subject)
        bucket.level = min(float(self._points), bucket.level + (now - bucket.at) * self._rate)
        bucket.at = now
        return bucket
