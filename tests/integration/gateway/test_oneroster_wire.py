"""OneRoster with real servers between: addresses byte for byte, answers that break, and clients that hang up."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx
import pytest

from services.gateway.main import build_app
from services.gateway.oneroster import passage as ways
from services.gateway.oneroster.passage import Passage
from shared.auth import SCOPES, Tokens
from shared.db import Database
from shared.network import carrier
from tests.integration.gateway.conftest import OPERATOR, PEPPER
from tests.integration.gateway.rostering import JSON, Roster
from tests.integration.gateway.wire import served
from tests.unit.gateway.world import SECRET, World, clients

USERS = "/ims/oneroster/rostering/v1p2/users"


@dataclass
class Wire:
    """The gateway's address, a client, and a key's header."""

    url: str
    http: httpx.AsyncClient
    bearer: str

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        host, port = self.url.removeprefix("http://").split(":")
        return await asyncio.open_connection(host, int(port))

    async def send(self, target: bytes) -> bytes:
        """What comes back when these bytes are asked for."""
        reader, writer = await self.connect()
        head = f" HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: {self.bearer}\r\n\r\n"
        writer.write(b"GET " + target + head.encode())
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
        return answer

    async def get(self) -> httpx.Response:
        return await self.http.get(USERS)


@pytest.fixture
def roster() -> Roster:
    return Roster()


@asynccontextmanager
async def _wire(database: Database, roster: Roster, silent_seconds: float) -> AsyncIterator[Wire]:
    async with served(roster) as inside:
        passage = Passage(inside, Tokens(SECRET), silent_seconds=silent_seconds)
        app = build_app(database, clients(World()), passage=passage, pepper=PEPPER, operator_secret=OPERATOR)
        async with (
            served(app) as url,
            httpx.AsyncClient(base_url=url, timeout=60, transport=carrier()) as http,
        ):
            operator = {"authorization": f"Bearer {OPERATOR}"}
            await http.post("/v1/districts", json={"slug": "north", "name": "North"}, headers=operator)
            ask = {"district": "north", "name": "k", "scopes": sorted(SCOPES), "purpose": "administration"}
            bearer = f"Bearer {(await http.post('/v1/keys', json=ask, headers=operator)).json()['key']}"
            http.headers["authorization"] = bearer
            yield Wire(url, http, bearer)
        await passage.close()


@pytest.fixture
def silent_seconds() -> float:
    return 20.0


@pytest.fixture
async def wire(
    fresh_database: Callable[[str], Awaitable[Database]], roster: Roster, silent_seconds: float
) -> AsyncIterator[Wire]:
    async with _wire(await fresh_database("gateway"), roster, silent_seconds) as made:
        yield made


class TestAnAddress:
    @pytest.mark.parametrize(
        "target",
        [
            b"/ims/oneroster/rostering/v1p2/users?filter=role%3D%27student%27%20AND%20status%3D'active'",
            b"/ims/oneroster/rostering/v1p2/users/a%2Fb%20c?fields=a&fields=b,c",
            b'/ims/oneroster/rostering/v1p2//users/?limit=&&x=%zz;+y|{}[]^`"<>\\',
            b"/ims/oneroster/v1p1/classes/1/lineitems/../%2e%2e/x?",
        ],
    )
    async def test_passes_as_it_came(self, wire: Wire, roster: Roster, target: bytes) -> None:
        answer = await wire.send(target)

        assert answer.startswith(b"HTTP/1.1 200")
        [arrived] = roster.arrived
        assert arrived.path + (b"?" + arrived.query if arrived.query else b"") == target.removesuffix(b"?")

    @pytest.mark.parametrize("version", [b"", b" and more"])
    async def test_with_spaces_and_accents_that_nobody_encoded_is_read_all_the_same(
        self, wire: Wire, roster: Roster, version: bytes
    ) -> None:
        filter_ = "filter=familyName='Núñez' AND status='active'".encode() + version

        answer = await wire.send(USERS.encode() + b"?" + filter_)

        assert answer.startswith(b"HTTP/1.1 200")
        encoded = b"filter=familyName='N%C3%BA%C3%B1ez'%20AND%20status='active'" + version.replace(b" ", b"%20")
        assert roster.arrived[0].query == encoded

    async def test_says_nothing_by_forwarded_headers(self, wire: Wire, roster: Roster) -> None:
        headers = {"x-forwarded-proto": "https", "x-forwarded-host": "evil", "x-forwarded-for": "203.0.113.9"}
        named = {"district": "north", "name": "k", "scopes": ["roster:read"], "purpose": "administration"}
        elsewhere = await wire.http.post(
            "/v1/keys",
            json=named | {"networks": ["203.0.113.0/24"]},
            headers={"authorization": f"Bearer {OPERATOR}"},
        )
        theirs = {"authorization": f"Bearer {elsewhere.json()['key']}"}

        ours = await wire.http.get(USERS, headers=headers)
        spoofed = await wire.http.get(USERS, headers=headers | theirs)

        assert (ours.status_code, spoofed.status_code) == (200, 401)
        assert roster.arrived[0].address == wire.url


class TestAnAnswer:
    async def test_goes_out_while_it_comes(self, wire: Wire, roster: Roster) -> None:
        roster.pieces, roster.seconds_between = [b"x" * 10_000] * 3, 0.3

        async with wire.http.stream("GET", USERS) as answer:
            async for _ in answer.aiter_raw():
                break
            assert roster.under_way == 1

    async def test_that_breaks_off_is_not_taken_for_whole(self, wire: Wire, roster: Roster) -> None:
        roster.pieces, roster.breaks_after = [b"x" * 1_000] * 3, 2

        with pytest.raises(httpx.TransportError):
            await wire.get()
        roster.breaks_after = None

        assert (await wire.get()).content == b"x" * 3_000

    async def test_that_breaks_before_it_begins_is_unavailable(self, wire: Wire, roster: Roster) -> None:
        roster.headers, roster.breaks_after = [(b"broken header", b"\r\n")], 0

        asked = await wire.get()
        changed = await wire.http.put(USERS, content=b"{}")

        assert (asked.status_code, changed.status_code) == (503, 503)
        assert "may have happened" in changed.json()["imsx_description"]

    @pytest.mark.parametrize("silent_seconds", [0.5])
    async def test_that_does_not_come_is_not_waited_for(self, wire: Wire, roster: Roster) -> None:
        roster.seconds = 5.0

        late = await wire.get()
        roster.seconds = 0.0

        assert late.status_code == 503
        assert (await wire.get()).status_code == 200

    async def test_that_nobody_waits_for_is_given_up(self, wire: Wire, roster: Roster) -> None:
        roster.seconds = 20.0
        reader, writer = await wire.connect()
        writer.write(f"GET {USERS} HTTP/1.1\r\nhost: x\r\nauthorization: {wire.bearer}\r\n\r\n".encode())
        await _until(lambda: roster.under_way == 1)

        writer.transport.abort()
        await _until(lambda: roster.given_up == 1)

        assert roster.under_way == 0
        del reader


class TestAChange:
    async def test_that_breaks_off_never_looks_whole(self, wire: Wire, roster: Roster) -> None:
        _, writer = await wire.connect()
        head = f"PUT {USERS} HTTP/1.1\r\nhost: x\r\nauthorization: {wire.bearer}\r\ncontent-length: 1000\r\n\r\n"
        writer.write(head.encode() + b"{")
        await asyncio.sleep(0.3)

        writer.transport.abort()
        await _until(lambda: roster.given_up == 1)

        assert roster.arrived == []

    async def test_is_finished_also_for_who_has_hung_up(self, wire: Wire, roster: Roster) -> None:
        roster.seconds = 1.0
        _, writer = await wire.connect()
        head = f"PUT {USERS} HTTP/1.1\r\nhost: x\r\nauthorization: {wire.bearer}\r\ncontent-length: 2\r\n\r\n{{}}"
        writer.write(head.encode())
        await _until(lambda: roster.under_way == 1)

        writer.transport.abort()
        await _until(lambda: roster.under_way == 0)

        assert roster.given_up == 0


class TestTheConnections:
    async def test_are_used_again(self, wire: Wire, roster: Roster) -> None:
        for _ in range(20):
            await wire.get()

        assert len({one.connection for one in roster.arrived}) == 1

    async def test_that_were_closed_over_there_are_replaced(self, wire: Wire, roster: Roster) -> None:
        await wire.get()
        roster.headers = [JSON, (b"connection", b"close")]
        answers = [await wire.get() for _ in range(5)]

        assert {one.status_code for one in answers} == {200}

    @pytest.mark.parametrize("enough", [300, pytest.param(3_000, marks=pytest.mark.long)])
    async def test_survive_a_storm_of_clients_that_hang_up(self, wire: Wire, roster: Roster, enough: int) -> None:
        roster.seconds = 0.05
        roster.pieces = [b"x" * 50_000] * 4
        cancelled = 0
        while cancelled < enough:
            tasks = [asyncio.create_task(wire.get()) for _ in range(40)]
            await asyncio.sleep(0.02 + 0.02 * (cancelled % 17))
            for task in tasks:
                task.cancel()
            outcomes = await asyncio.gather(*tasks, return_exceptions=True)
            cancelled += sum(isinstance(outcome, asyncio.CancelledError) for outcome in outcomes)
        roster.seconds = 0.0

        answers = await asyncio.gather(*(wire.get() for _ in range(2 * ways.CONNECTIONS)))

        assert {(one.status_code, len(one.content)) for one in answers} == {(200, 200_000)}
        await _until(lambda: roster.under_way == 0)

    async def test_are_waited_for_when_all_are_lent(self, wire: Wire, roster: Roster) -> None:
        roster.seconds = 0.3

        answers = await asyncio.gather(*(wire.get() for _ in range(ways.CONNECTIONS + 20)))

        assert {one.status_code for one in answers} == {200}
        assert len({one.connection for one in roster.arrived}) <= ways.CONNECTIONS


async def _until(holds: Callable[[], bool]) -> None:
    for _ in range(400):
        if holds():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it never came to that")
