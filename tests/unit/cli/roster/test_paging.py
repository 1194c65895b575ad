"""Reading a provider's collections: everybody, or nothing."""

import email.utils
import gzip
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from deploy.cli.roster import provider as providers
from deploy.cli.roster.config import read_config
from deploy.cli.roster.paging import NotFiltered, Read, Reader
from deploy.cli.roster.provider import Absent, FilterRefused, PullStopped
from tests.unit.cli.roster.misbehaving import CLIENT, SECRET, Misbehaving, orgs, serving

ORGS = "/ims/oneroster/rostering/v1p2/orgs"
SINCE = datetime(2026, 1, 10, tzinfo=UTC)


class Taken:
    """A sink that keeps what it was given last."""

    def __init__(self) -> None:
        self.items: list[Any] = []

    def restart(self) -> None:
        self.items = []

    def take(self, items: Sequence[Any]) -> None:
        self.items += items

    @property
    def ids(self) -> list[str]:
        return [one["sourcedId"] for one in self.items]


@pytest.fixture
def config_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SIS_SECRET", SECRET)
    return tmp_path / "provider.toml"


class Reading:
    """Reads one collection of one provider."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.taken = Taken()
        self.heard: list[str] = []

    @asynccontextmanager
    async def of(self, provider: Misbehaving, limit: int = 10) -> AsyncIterator[Reader]:
        async with serving(provider):
            self.file.write_text(
                f'url = "{provider.url}"\nversion = "{provider.version}"\ntoken_url = "{provider.url}/oauth2/token"\n'
                f'client_id = "{CLIENT}"\nsecret_env = "SIS_SECRET"\n'
            )
            async with providers.opened(read_config(self.file), self.heard.append, pause=0.001) as opened:
                yield Reader(opened, limit, lambda *_: None)

    async def read(self, provider: Misbehaving, limit: int = 10, since: datetime | None = None) -> Read:
        async with self.of(provider, limit) as reader:
            return await reader.read("orgs", ORGS, self.taken, since)


@pytest.fixture
def reading(config_file: Path) -> Reading:
    return Reading(config_file)


def ids(count: int) -> list[str]:
    return [f"s{nth}" for nth in range(count)]


class TestWhole:
    @pytest.mark.parametrize("count", [0, 1, 9, 10, 11, 19, 20, 95])
    @pytest.mark.parametrize(
        "how",
        [
            {},
            {"total": lambda real: None},
            {"links": False},
            {"links": False, "total": lambda real: None},
            {"clamp": 3},
            {"clamp": 1},
            {"clamp": 3, "links": False, "total": lambda real: None},
            {"short_pages": (4, 10, 2, 7)},
            {"short_pages": (4, 10, 2, 7), "links": False, "total": lambda real: None},
        ],
        ids=lambda how: "-".join(name for name in how) or "well",
    )
    async def test_however_pages_are_cut_every_object_comes_once(
        self, reading: Reading, count: int, how: dict[str, Any]
    ) -> None:
        provider = Misbehaving(objects={"orgs": orgs(count)}, **how)

        read = await reading.read(provider)

        assert reading.taken.ids == ids(count)
        assert (read.items, read.tries) == (count, 1)

    async def test_a_provider_that_rounds_offsets_is_read_page_by_page(self, reading: Reading) -> None:
        provider = Misbehaving(objects={"orgs": orgs(35)}, rounds_offsets=True)

        await reading.read(provider)

        assert reading.taken.ids == ids(35)

    async def test_a_clamped_limit_is_noticed(self, reading: Reading) -> None:
        provider = Misbehaving(objects={"orgs": orgs(30)}, clamp=7)

        read = await reading.read(provider, limit=1_000)

        assert read.largest_page == 7
        assert reading.taken.ids == ids(30)

    async def test_a_last_page_that_is_short_is_no_clamped_limit(self, reading: Reading) -> None:
        provider = Misbehaving(objects={"orgs": orgs(25)}, total=lambda real: None, links=False)

        read = await reading.read(provider)

        assert read.largest_page == 0


class TestChanging:
    async def test_a_set_that_changes_between_pages_is_read_again(self, reading: Reading) -> None:
        provider = Misbehaving(objects={"orgs": orgs(30)})

        def one_goes(pages: int) -> None:
            if pages == 2:
                provider.objects["orgs"].pop(0)

        provider.after_page = one_goes

        read = await reading.read(provider)

        assert read.tries == 2
        assert reading.taken.ids == ids(30)[1:]

    async def test_as_many_going_as_coming_is_noticed_too(self, reading: Reading) -> None:
        provider = Misbehaving(objects={"orgs": orgs(30)})

        def one_goes_and_one_comes(pages: int) -> None:
            if pages == 2:
                provider.objects["orgs"] = [*provider.objects["orgs"][1:], {"sourcedId": "new"}]

        provider.after_page = one_goes_and_one_comes

        read = await reading.read(provider)

        assert read.tries == 2
        assert reading.taken.ids == [*ids(30)[1:], "new"]

    async def test_a_set_that_never_rests_is_given_up(self, reading: Reading) -> None:
        provider = Misbehaving(objects={"orgs": orgs(30)})
        provider.after_page = lambda pages: provider.objects["orgs"].insert(0, {"sourcedId": f"new{pages}"})

        with pytest.raises(PullStopped, match="orgs could not be read whole in 3 tries"):
            await reading.read(provider)

    @pytest.mark.parametrize("lie", [1, 29, 31, 0])
    async def test_a_total_that_is_not_true_is_never_believed(self, reading: Reading, lie: int) -> None:
        provider = Misbehaving(objects={"orgs": orgs(30)}, total=lambda real: lie)

        with pytest.raises(PullStopped, match="could not be read whole"):
            await reading.read(provider)

    async def test_an_object_that_comes_twice_is_never_accepted(self, reading: Reading) -> None:
        provider = Misbehaving(objects={"orgs": [*orgs(12), *orgs(12)]})

        with pytest.raises(PullStopped, match="came twice"):
            await reading.read(provider)

    async def test_a_provider_that_does_not_page_is_given_up(self, reading: Reading) -> None:
        provider = Misbehaving(objects={"orgs": orgs(30)}, ignores_offset=True)

        with pytest.raises(PullStopped, match="every offset"):
            await reading.read(provider)


class TestPatience:
    @pytest.mark.parametrize("status", [429, 503])
    async def test_a_busy_provider_is_asked_again_when_it_says(self, reading: Reading, status: int) -> None:
        then = email.utils.format_datetime(datetime.now(UTC), usegmt=True)
        busy: list[web.Response | Exception] = [
            web.Response(status=status, headers={"retry-after": "0"}),
            web.Response(status=status, headers={"retry-after": then}),
            web.Response(status=status),
        ]
        provider = Misbehaving(objects={"orgs": orgs(3)}, answers=busy)

        await reading.read(provider)

        assert reading.taken.ids == ids(3)
        assert len(reading.heard) == 3

    async def test_a_connection_that_breaks_is_tried_again(self, reading: Reading) -> None:
        provider = Misbehaving(objects={"orgs": orgs(3)}, answers=[ConnectionResetError(), ConnectionResetError()])

        await reading.read(provider)

        assert reading.taken.ids == ids(3)

    async def test_an_answer_that_is_not_packed_as_it_says_is_tried_again(self, reading: Reading) -> None:
        broken = web.Response(body=b"{}", headers={"content-encoding": "gzip"})
        provider = Misbehaving(objects={"orgs": orgs(3)}, answers=[broken])

        await reading.read(provider)

        assert reading.taken.ids == ids(3)

    async def test_what_no_file_can_hold_is_read_as_what_stands_for_it(self, reading: Reading) -> None:
        cut = web.Response(
            text=r'{"orgs": [{"sourcedId": "o\ud83d"}, {"sourcedId": "\ud83d\ude00", "name": "\\u0000\u0000"}]}',
            headers={"x-total-count": "2"},
        )
        provider = Misbehaving(objects={"orgs": orgs(3)}, answers=[cut])

        await reading.read(provider)

        assert reading.taken.ids == ["o?", "\N{GRINNING FACE}"]
        assert reading.taken.items[1]["name"] == "\\u0000\ufffd"

    async def test_patience_ends(self, reading: Reading) -> None:
        provider = Misbehaving(answers=[web.Response(status=503, headers={"retry-after": "0"}) for _ in range(9)])

        with pytest.raises(PullStopped, match=r"busy \(503\) again and again"):
            await reading.read(provider)

    async def test_who_wants_to_be_left_alone_for_long_is_left_alone(self, reading: Reading) -> None:
        provider = Misbehaving(answers=[web.Response(status=429, headers={"retry-after": "86400"})])

        with pytest.raises(PullStopped, match="86400 s"):
            await reading.read(provider)

    @pytest.mark.parametrize(
        "answer",
        [
            web.Response(status=500),
            web.Response(text="<html>"),
            web.Response(text="[" * 100_000),
            web.json_response({"orgs": "none"}),
        ],
    )
    async def test_what_cannot_be_read_stops_the_pull(self, reading: Reading, answer: web.Response) -> None:
        provider = Misbehaving(objects={"orgs": orgs(3)}, answers=[answer])

        with pytest.raises(PullStopped, match="nothing was loaded"):
            await reading.read(provider)

    @pytest.mark.parametrize("packed", [False, True])
    async def test_an_answer_without_end_is_not_read_to_its_end(
        self, reading: Reading, monkeypatch: pytest.MonkeyPatch, packed: bool
    ) -> None:
        monkeypatch.setattr(providers, "LARGEST_ANSWER", 50_000)
        body = b'{"orgs": [' + b" " * 60_000 + b"]}"
        answer = web.Response(body=body)
        if packed:
            answer = web.Response(body=gzip.compress(body), headers={"content-encoding": "gzip"})
        provider = Misbehaving(objects={"orgs": orgs(3)}, answers=[answer])

        with pytest.raises(PullStopped, match="more than 50,000 bytes at once; nothing was loaded"):
            await reading.read(provider)

    async def test_a_packed_answer_is_unpacked(self, reading: Reading) -> None:
        body = gzip.compress(b'{"orgs": [{"sourcedId": "a"}]}')
        answer = web.Response(body=body, headers={"content-encoding": "gzip", "x-total-count": "1"})
        provider = Misbehaving(objects={"orgs": orgs(3)}, answers=[answer])

        await reading.read(provider)

        assert reading.taken.ids == ["a"]

    async def test_what_is_packed_in_a_way_nobody_asked_for_stops_the_pull(self, reading: Reading) -> None:
        answer = web.Response(body=b"{}", headers={"content-encoding": "gzip, gzip"})
        provider = Misbehaving(objects={"orgs": orgs(3)}, answers=[answer])

        with pytest.raises(PullStopped, match="packed as gzip, gzip"):
            await reading.read(provider)


class TestTokens:
    async def test_a_token_that_expires_on_the_way_is_renewed(self, reading: Reading) -> None:
        provider = Misbehaving(objects={"orgs": orgs(30)}, token_lasts=2)

        await reading.read(provider)

        assert reading.taken.ids == ids(30)
        assert provider.tokens == 2

    async def test_a_secret_is_taken_in_both_spellings(self, reading: Reading) -> None:
        provider = Misbehaving(objects={"orgs": orgs(3)}, decodes_basic=False)

        await reading.read(provider)

        assert reading.taken.ids == ids(3)

    async def test_scopes_that_are_not_granted_are_said(self, reading: Reading) -> None:
        no = [web.json_response({"error": "invalid_scope"}, status=400) for _ in range(2)]
        provider = Misbehaving(token_answers=no)

        with pytest.raises(PullStopped, match=r"gives no token: invalid_scope.*scopes"):
            await reading.read(provider)

    @pytest.mark.parametrize("token", ["", "t\u00f6ken", "a b", "a\r\nb", 7])
    async def test_a_token_that_no_header_can_carry_is_none(self, reading: Reading, token: object) -> None:
        provider = Misbehaving(token_answers=[web.json_response({"access_token": token})])

        with pytest.raises(PullStopped, match="without an access_token"):
            await reading.read(provider)

    @pytest.mark.parametrize("status", [401, 403, 404])
    async def test_what_is_not_granted_is_absent_and_never_empty(self, reading: Reading, status: int) -> None:
        provider = Misbehaving(objects={"orgs": orgs(3)}, refused={"orgs": status})

        with pytest.raises(Absent, match=str(status)):
            await reading.read(provider)


class TestAddresses:
    async def test_a_redirect_within_the_provider_is_followed(self, reading: Reading) -> None:
        there = web.Response(status=307, headers={"location": f"{ORGS}?limit=10&offset=0"})
        provider = Misbehaving(objects={"orgs": orgs(3)}, answers=[there])

        await reading.read(provider)

        assert reading.taken.ids == ids(3)

    async def test_a_redirect_to_another_host_is_refused(self, reading: Reading) -> None:
        there = web.Response(status=302, headers={"location": "https://example.org/orgs"})
        provider = Misbehaving(objects={"orgs": orgs(3)}, answers=[there])

        with pytest.raises(PullStopped, match=r"another host, example\.org"):
            await reading.read(provider)

    @pytest.mark.parametrize("place", ["https://sis.example:99999/", "//[sis/"])
    async def test_a_redirect_to_no_address_is_refused(self, reading: Reading, place: str) -> None:
        there = web.Response(status=302, headers={"location": place})
        provider = Misbehaving(objects={"orgs": orgs(3)}, answers=[there])

        with pytest.raises(PullStopped, match="an address that is none"):
            await reading.read(provider)

    async def test_a_provider_that_only_knows_lower_case_is_found(self, reading: Reading) -> None:
        provider = Misbehaving(version="1.1", objects={"academicSessions": [{"sourcedId": "y"}]}, lower_case_only=True)

        async with reading.of(provider) as reader:
            await reader.read("academicSessions", "/ims/oneroster/v1p1/academicSessions", reading.taken)

        assert reading.taken.ids == ["y"]


class TestFilters:
    @pytest.mark.parametrize("raw", [False, True])
    async def test_only_what_changed_is_asked_for(self, reading: Reading, raw: bool) -> None:
        old, new = orgs(3), [one | {"sourcedId": "new"} for one in orgs(1, "2026-02-01T00:00:00.000Z")]
        provider = Misbehaving(objects={"orgs": old + new}, wants_raw_filter=raw)

        await reading.read(provider, since=SINCE)

        assert reading.taken.ids == ["new"]
        assert ("dateLastModified>'2026-01-10T00:00:00.000Z'" in provider.asked[0][1]) is raw

    async def test_a_filter_that_is_not_applied_is_noticed(self, reading: Reading) -> None:
        provider = Misbehaving(objects={"orgs": orgs(3)}, ignores_filter=True)

        with pytest.raises(NotFiltered):
            await reading.read(provider, since=SINCE)

    async def test_a_filter_that_is_refused_is_noticed(self, reading: Reading) -> None:
        provider = Misbehaving(objects={"orgs": orgs(3)}, refuses_filter=True)

        with pytest.raises(FilterRefused):
            await reading.read(provider, since=SINCE)
