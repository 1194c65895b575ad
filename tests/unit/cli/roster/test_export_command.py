"""`trellis roster export`, beside a small server that answers as the gateway documents."""

import io
import json
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from deploy.cli.main import _exit_code

MANIFEST = "propertyName,value\nmanifest.version,1.0\nfile.orgs,delta\nfile.users,absent\n"


def an_archive(orgs: str = "sourcedId\na\n") -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("manifest.csv", MANIFEST)
        archive.writestr("orgs.csv", orgs)
    return made.getvalue()


class Platform:
    """Answers an export, and remembers what it was asked."""

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[str] = []
        self.status = 200
        self.content = an_archive()
        self.missing = 0
        """How many bytes are announced and never sent."""


@pytest.fixture
def platform() -> Iterator[Platform]:
    made = Platform()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            made.asked.append(self.path)
            self.send_response(made.status)
            self.send_header("content-length", str(len(made.content) + made.missing))
            self.send_header("x-trellis-revision", "41")
            self.end_headers()
            self.wfile.write(made.content)
            self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield made
    server.shutdown()
    thread.join()
    server.server_close()


class Command:
    def __init__(
        self, platform: Platform, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.out = folder / "roster.zip"
        self._platform, self._folder, self._monkeypatch, self._capsys = platform, folder, monkeypatch, capsys

    def run(self, *options: str) -> tuple[int, str, str]:
        asked = ["trellis", "roster", "export", str(self.out), "--url", self._platform.url, "--key", "k"]
        self._monkeypatch.setattr("sys.argv", [*asked, "--home", str(self._folder), *options])
        code = _exit_code()
        said = self._capsys.readouterr()
        return code, said.out, said.err


@pytest.fixture
def command(
    platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    return Command(platform, tmp_path, monkeypatch, capsys)


def test_the_archive_is_written_and_the_next_since_is_said(command: Command, platform: Platform) -> None:
    code, _, said = command.run()

    assert code == 0
    assert command.out.read_bytes() == platform.content
    assert "--since 41" in said
    assert platform.asked == ["/v1/exports/roster?version=1.2"]


def test_a_program_is_told_what_is_in_it(command: Command, platform: Platform) -> None:
    code, said, _ = command.run("--json", "--since", "2026-01-01T00:00:00+01:00", "--version", "1.1")

    assert code == 0
    assert json.loads(said) == {
        "file": str(command.out), "bytes": len(platform.content), "revision": 41,
        "files": {"orgs": "delta", "users": "absent"},
    }  # fmt: skip
    assert platform.asked == ["/v1/exports/roster?version=1.1&since=2026-01-01T00:00:00%2B01:00"]


@pytest.mark.parametrize("how", ["cut off", "damaged", "no archive"])
def test_what_did_not_arrive_whole_replaces_nothing(command: Command, platform: Platform, how: str) -> None:
    command.out.write_text("the one before")
    if how == "cut off":
        platform.missing = 10
    elif how == "damaged":
        platform.content = platform.content.replace(b"sourcedId\na\n", b"sourcedId\nb\n")
    else:
        platform.content = b"<html>"

    code, _, said = command.run()

    assert code == 1
    assert "broke off" in said or "did not arrive whole" in said
    assert command.out.read_text() == "the one before"
    assert [one.name for one in command.out.parent.glob("*.partial")] == []


def test_a_since_that_is_none_is_refused(command: Command, platform: Platform) -> None:
    platform.status, platform.content = 422, b'{"detail": "There is no such revision."}'

    code, _, said = command.run("--since", "9")

    assert code == 2
    assert "no such revision" in said
