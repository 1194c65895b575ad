"""`trellis roster pull`, between a provider and a platform that answer as theirs do."""

import asyncio
import json
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from deploy.cli.main import _exit_code
from tests.unit.cli.roster.district import a_district
from tests.unit.cli.roster.misbehaving import CLIENT, SECRET, Misbehaving, serving

KEY = "trl_live_abc_" + "x" * 43


class Platform:
    """Takes one file in, and says of it what it is told to say."""

    def __init__(self) -> None:
        self.url = ""
        self.report: dict[str, Any] = {}
        self.loaded: list[tuple[str, int]] = []

    async def take(self, request: web.Request) -> web.Response:
        self.loaded.append((request.path_qs, len(await request.read())))
        return web.json_response({"id": "roster-1", "url": "/v1/imports/roster-1", "state": "received"}, status=202)

    async def say(self, request: web.Request) -> web.Response:
        none = {"added": 0, "changed": 0, "unchanged": 0, "refused": 0}
        base = {"id": "roster-1", "kind": "roster", "state": "applied", "verdict": "accepted", "done": 1, "total": 1,
                "counts": none, "options": {}, "readable": True, "effects": {"parked": {}}, "summary": {}}  # fmt: skip
        for sort in ("problem", "repair", "hold"):
            base |= {f"{sort}_count": 0, f"{sort}s": []}
        return web.json_response(base | self.report)


@contextmanager
def both(provider: Misbehaving, platform: Platform) -> Iterator[None]:
    """Provider and platform in a loop of their own: the command has one itself."""
    ready, done = threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        app = web.Application()
        app.router.add_post("/v1/imports/roster", platform.take)
        app.router.add_get("/v1/imports/roster-1", platform.say)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        platform.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        async with serving(provider):
            ready.set()
            await done.wait()
        await runner.cleanup()

    thread = threading.Thread(target=loop.run_until_complete, args=[serve()])
    thread.start()
    assert ready.wait(10)
    try:
        yield
    finally:
        loop.call_soon_threadsafe(done.set)
        thread.join()
        loop.close()


class Command:
    """The command, as it is typed."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.provider, self.platform = Misbehaving(objects=a_district()), Platform()
        self._file = folder / "provider.toml"
        self._folder = folder
        self._monkeypatch = monkeypatch
        self._capsys = capsys

    def run(self, *options: str, config: str | None = None) -> tuple[int, str, str]:
        self._file.write_text(
            config
            or f'url = "{self.provider.url}"\nversion = "1.2"\ntoken_url = "{self.provider.url}/oauth2/token"\n'
            f'client_id = "{CLIENT}"\nsecret_env = "SIS_SECRET"\n'
        )
        asked = ["trellis", "roster", "pull", str(self._file), "--url", self.platform.url, "--key", KEY]
        self._monkeypatch.setattr("sys.argv", [*asked, "--home", str(self._folder), *options])
        code = _exit_code()
        said = self._capsys.readouterr()
        return code, said.out, said.err


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Command]:
    monkeypatch.setenv("SIS_SECRET", SECRET)
    made = Command(tmp_path, monkeypatch, capsys)
    with both(made.provider, made.platform):
        yield made


class TestOutcome:
    @pytest.mark.parametrize(
        ("state", "verdict", "code"),
        [("applied", "accepted", 0), ("refused", "refused", 2), ("held", "held", 3), ("failed", "failed", 1)],
    )
    def test_the_exit_code_is_the_platforms_verdict(
        self, command: Command, state: str, verdict: str, code: int
    ) -> None:
        command.platform.report = {"state": state, "verdict": verdict}

        assert command.run()[0] == code

    def test_a_provider_that_breaks_is_none_of_these(self, command: Command) -> None:
        command.provider.refused = {"orgs": 500}

        code, _, said = command.run()

        assert code == 1
        assert "nothing was loaded" in said
        assert command.platform.loaded == []

    def test_a_second_pull_without_changes_loads_nothing(self, command: Command) -> None:
        command.run()

        code, said, _ = command.run("--json")

        assert code == 0
        assert json.loads(said)["verdict"] == "accepted"
        assert json.loads(said)["pull"]["mode"] == "delta"
        assert len(command.platform.loaded) == 1

    def test_a_dry_run_is_asked_for_as_one(self, command: Command) -> None:
        command.platform.report = {"state": "reported", "verdict": "reported"}

        code, _, _ = command.run("--dry-run")

        assert code == 0
        [(path, size)] = command.platform.loaded
        assert path == "/v1/imports/roster?dry_run=true"
        assert size > 1_000

    def test_the_report_tells_what_was_read_and_what_was_not_granted(self, command: Command) -> None:
        command.provider.refused = {"demographics": 403}

        _, said, _ = command.run("--json")

        pulled = json.loads(said)["pull"]
        assert pulled["absent"] == {"demographics": "403 not granted"}
        assert {"name": "orgs", "objects": 2, "pages": 1, "tries": 1} in pulled["collections"]
        assert pulled["files"]["roles"] == {"mode": "bulk", "rows": 3}

    def test_the_archive_can_be_kept(self, command: Command, tmp_path: Path) -> None:
        command.run("--keep", str(tmp_path / "kept.zip"))

        [(_, size)] = command.platform.loaded
        assert (tmp_path / "kept.zip").stat().st_size == size

    def test_what_a_killed_pull_left_behind_is_removed_by_the_next(
        self, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        with subprocess.Popen([sys.executable, "-c", ""]) as dead:
            dead.wait()
        left, alive = tmp_path / f"trellis-pull-{dead.pid}-x", tmp_path / "trellis-pull-1-x"
        left.mkdir()
        (left / "users.csv").write_text("Ada")
        alive.mkdir()

        code, _, _ = command.run()

        assert code == 0
        assert list(tmp_path.glob("trellis-pull-*")) == [alive]


class TestConfig:
    @pytest.mark.parametrize(
        ("config", "said"),
        [
            ("url = 1\n", "url is needed"),
            ("nonsense", "no TOML"),
            ('uri = "x"\n', "uri is no setting"),
            ('url = "http://sis.example"\n', "must begin with https"),
            ('url = "https://sis.example?x=1"\n', "more than a scheme"),
            ('version = "1.3"\n', "version is"),
            ('collections = ["pupils"]\n', "no collection pupils"),
            ("limit = 0\n", "limit is a number"),
            ('secret_env = "NOT_THERE"\n', "NOT_THERE holds no client secret"),
        ],
    )
    def test_a_setting_that_cannot_be_used_is_named(self, command: Command, config: str, said: str) -> None:
        name = config.partition(" ")[0]
        base = {"url": '"http://127.0.0.1:1"', "version": '"1.2"', "token_url": '"http://127.0.0.1:1/t"',
                "client_id": '"c"', "secret_env": '"SIS_SECRET"'}  # fmt: skip
        base.pop(name, None)
        rest = "".join(f"{one} = {value}\n" for one, value in base.items())

        code, _, told = command.run(config=rest + config)

        assert code == 2
        assert said in told
