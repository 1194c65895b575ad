"""`trellis roster bootstrap`, beside a small server that answers as the gateway documents."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from deploy.cli.main import _exit_code

HEAD = {"format": "trellis.roster-facts.v1", "district": "d", "revision": 7, "at": "2026-09-01T08:00:00Z",
        "listen_from": "2026-09-01T07:59:00Z", "types": ["StudentsPlaced"]}  # fmt: skip
FACT = {"type": "trellis.events.roster.v1.StudentsPlaced", "fact": {"student": "AAAA"}}
END = {"end": {"StudentsPlaced": 2}, "facts": 2}
Run = Callable[..., tuple[int, str, str]]


def lines(*content: object) -> bytes:
    return b"".join(json.dumps(one).encode() + b"\n" for one in content)


class Platform:
    """Answers with facts, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.content = lines(HEAD, FACT, FACT, END)
        self.url = ""


@pytest.fixture
def platform() -> Iterator[Platform]:
    made = Platform()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            made.asked.append(self.path)
            self.send_response(200)
            self.send_header("content-length", str(len(made.content)))
            self.end_headers()
            self.wfile.write(made.content)

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


@pytest.fixture
def run(platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    def ran(*options: str) -> tuple[int, str, str]:
        asked = ["trellis", "roster", "bootstrap", str(tmp_path / "facts.ndjson"), "--url", platform.url, "--key", "k"]
        monkeypatch.setattr("sys.argv", [*asked, "--home", str(tmp_path), *options])
        code = _exit_code()
        said = capsys.readouterr()
        return code, said.out, said.err

    return ran


def test_the_facts_are_written_and_from_when_to_listen_is_said(run: Run, platform: Platform, tmp_path: Path) -> None:
    code, _, said = run()

    assert code == 0
    assert (tmp_path / "facts.ndjson").read_bytes() == platform.content
    assert "from 2026-09-01T07:59:00Z on" in " ".join(said.split())
    assert platform.asked == ["/v1/exports/roster-facts"]


def test_a_program_is_told_what_came(run: Run, platform: Platform, tmp_path: Path) -> None:
    code, said, _ = run("--json", "--types", "StudentsPlaced")

    assert code == 0
    assert json.loads(said) == {
        "file": str(tmp_path / "facts.ndjson"), "bytes": len(platform.content), "revision": 7,
        "at": HEAD["at"], "listen_from": HEAD["listen_from"], "facts": {"StudentsPlaced": 2},
    }  # fmt: skip
    assert platform.asked == ["/v1/exports/roster-facts?types=StudentsPlaced"]


@pytest.mark.parametrize(
    "content",
    [lines(HEAD, FACT, FACT), lines(HEAD, FACT, END), lines(FACT, FACT, FACT, END), b"", b"<html>", lines(1, 2)],
    ids=["no end", "a fact too few", "no head", "nothing", "no facts", "numbers"],
)
def test_what_did_not_arrive_whole_replaces_nothing(
    run: Run, platform: Platform, tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "facts.ndjson").write_text("the one before")
    platform.content = content

    code, _, said = run()

    assert code == 1
    assert "did not arrive whole" in said
    assert [file.name for file in tmp_path.iterdir()] == ["facts.ndjson"]
    assert (tmp_path / "facts.ndjson").read_text() == "the one before"


def test_a_folder_that_is_not_there_is_said_in_a_sentence(
    platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "nowhere" / "facts.ndjson"
    monkeypatch.setattr(
        "sys.argv",
        ["trellis", "roster", "bootstrap", str(out), "--url", platform.url, "--key", "k", "--home", str(tmp_path)],
    )

    assert _exit_code() == 1

    said = "".join(capsys.readouterr().err.split())
    assert said == f"{out}.partial:nosuchfileordirectory"
