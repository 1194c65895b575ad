"""The load: so many connections, each asking again as soon as it has its answer, from a process of its own.

`python -m tests.bench.class_load` reads one JSON object from standard input (url, key, query, variables, connections,
seconds, expected) and prints one: requests, seconds, and the milliseconds of every request. An answer is compared with
the expected `data` after the round, so that comparing costs the servers nothing.
"""

import asyncio
import json
import sys
import time
from typing import Any

import aiohttp


async def _ask(session: aiohttp.ClientSession, url: str, body: bytes, until: float, took: list[float]) -> bytes:
    """Ask until the time is over; the last answer."""
    answer = b""
    while (begun := time.perf_counter()) < until:
        async with session.post(url, data=body) as response:
            answer = await response.read()
            if response.status != 200:
                raise RuntimeError(f"{response.status}: {answer[:300]!r}")
        took.append((time.perf_counter() - begun) * 1000)
    return answer


async def load(told: dict[str, Any]) -> dict[str, Any]:
    """One round."""
    headers = {"content-type": "application/json", "accept": "application/json"}
    if told["key"]:
        headers["authorization"] = f"Bearer {told['key']}"
    body = json.dumps({"query": told["query"], "variables": told["variables"]}).encode()
    took: list[float] = []
    connector = aiohttp.TCPConnector(limit=told["connections"], force_close=False)
    async with aiohttp.ClientSession(connector=connector, headers=headers) as session:
        begun = time.perf_counter()
        asking = (_ask(session, told["url"], body, begun + told["seconds"], took) for _ in range(told["connections"]))
        answers = await asyncio.gather(*asking)
        seconds = time.perf_counter() - begun
    for answer in answers:
        if json.loads(answer)["data"] != told["expected"]:
            raise RuntimeError(f"not the expected answer: {answer[:300]!r}")
    return {"requests": len(took), "seconds": seconds, "milliseconds": took}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(load(json.load(sys.stdin)))))
