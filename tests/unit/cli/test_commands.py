"""The command line, beside a small server that answers as the gateway documents."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from deploy.cli.main import _exit_code
from deploy.home import opened

PROBLEM = {"file": "answers.csv", "line": 3, "column": "form", "value": "X", "rule": "known-form", "remedy": "Load it."}


def report(state: str, **more: Any) -> dict[str, Any]:
    base = {
        "id": "answers-1", "url": "/v1/imports/answers-1", "kind": "answers", "state": state, "done": 1, "total": 2,
        "counts": {"added": 1, "changed": 0, "unchanged": 0, "refused": 0}, "problem_count": 0, "repair_count": 0,
        "problems": [], "repairs": [], "readable": state == "applied",
        "effects": {"announced": {}, "heard": {}, "waiting": {}, "parked": {}, "away": []},
    }  # fmt: skip
    return base | more


@dataclass
class Platform:
    """Answers in turn, the last one for ever; remembers what it was asked."""

    url: str = ""
    answers: dict[str, list[tuple[int, Any]]] = field(default_factory=dict)
    asked: list[tuple[str, str, bytes]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)


@pytest.fixture
def platform() -> Iterator[Platform]:
    made = Platform()

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            body = self._chunks() if "chunked" in self.headers.get("transfer-encoding", "") else self._sized()
            made.asked.append((self.command, self.path, body))
            made.keys.append(self.headers["authorization"])
            waiting = made.answers[f"{self.command} {self.path}"]
            status, answer = waiting.pop(0) if len(waiting) > 1 else waiting[0]
            content = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def _sized(self) -> bytes:
            return self.rfile.read(int(self.headers.get("content-length", 0)))

        def _chunks(self) -> bytes:
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return body

        do_GET = do_POST = do_PUT = do_DELETE = _answer

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    made.url = f"http://127.0.0.1:{server.server_address[1]}"
    yield made
    server.shutdown()
    server.server_close()


@pytest.fixture
def trellis(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Any:
    """Runs a command line; its exit code, stdout and stderr."""
    monkeypatch.setenv("HOME_DIR", str(tmp_path / "home"))
    monkeypatch.setenv("TRELLIS_URL", platform.url)
    monkeypatch.setenv("TRELLIS_KEY", "trl_live_test")

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["trellis", *arguments])
        code = _exit_code()
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


@pytest.fixture
def sheet(tmp_path: Path) -> Path:
    file = tmp_path / "answers.csv"
    file.write_text("administration,student\n" * 1000)
    return file


def test_a_file_that_is_applied_exits_0_after_its_effects_are_readable(
    platform: Platform, trellis: Any, sheet: Path
) -> None:
    platform.answers["POST /v1/imports/answers"] = [(202, {"id": "answers-1", "url": "…"})]
    platform.answers["GET /v1/imports/answers-1"] = [
        (200, report("validating")),
        (200, report("applied", readable=False)),
        (200, report("applied")),
    ]

    code, out, _ = trellis("load", "answers", str(sheet))

    assert code == 0
    assert "applied" in out
    assert len(platform.asked) == 4
    assert platform.asked[0][2] == sheet.read_bytes()
    assert set(platform.keys) == {"Bearer trl_live_test"}


def test_a_refused_file_exits_2_and_says_where_and_what_to_do(platform: Platform, trellis: Any, sheet: Path) -> None:
    refused = report("refused", problem_count=1, problems=[PROBLEM])
    platform.answers["POST /v1/imports/answers?keep_good=true"] = [(202, {"id": "answers-1"})]
    platform.answers["GET /v1/imports/answers-1"] = [(200, refused)]

    code, out, _ = trellis("load", "answers", str(sheet), "--keep-good")

    assert code == 2
    assert all(word in out for word in ("REFUSED", "answers.csv", "3", "form", "known-form", "Load it."))


def test_problems_of_one_kind_share_a_row_that_says_all_their_lines(
    platform: Platform, trellis: Any, sheet: Path
) -> None:
    lines = [2, 4, 5, 6, 9, 11, 13, 15, 16]
    alike = [PROBLEM | {"line": line, "value": f"F{line}"} for line in lines]
    refused = report("refused", problem_count=10, problems=[*alike, PROBLEM | {"rule": "another", "line": None}])
    platform.answers["POST /v1/imports/answers"] = [(202, {"id": "answers-1"})]
    platform.answers["GET /v1/imports/answers-1"] = [(200, refused)]

    code, out, _ = trellis("load", "answers", str(sheet))

    assert code == 2
    assert "10 problems" in out
    assert out.count("known-form") == out.count("another") == 1
    assert "2, 4–6, 9, 11, 13, and 2 more" in out
    assert "F2, F4, F5, …" in out


def test_json_is_the_report_and_nothing_else_on_stdout(platform: Platform, trellis: Any, sheet: Path) -> None:
    platform.answers["POST /v1/imports/answers"] = [(202, {"id": "answers-1"})]
    platform.answers["GET /v1/imports/answers-1"] = [(200, report("applied"))]

    code, out, err = trellis("load", "answers", str(sheet), "--json")

    assert code == 0
    assert json.loads(out) == report("applied") | {"diff": None}
    assert err == ""


def test_facts_that_were_parked_exit_1(platform: Platform, trellis: Any, sheet: Path) -> None:
    effects = {"announced": {}, "heard": {}, "waiting": {}, "parked": {"mastery": 2}, "away": []}
    platform.answers["POST /v1/imports/answers"] = [(202, {"id": "answers-1"})]
    platform.answers["GET /v1/imports/answers-1"] = [(200, report("applied", effects=effects))]

    code, _, err = trellis("load", "answers", str(sheet))

    assert code == 1
    assert "2 in mastery" in err


def test_a_gateway_that_comes_back_is_waited_for(platform: Platform, trellis: Any, sheet: Path) -> None:
    platform.answers["POST /v1/imports/answers"] = [(202, {"id": "answers-1"})]
    platform.answers["GET /v1/imports/answers-1"] = [(503, {"detail": "starting"}), (200, report("applied"))]

    assert trellis("load", "answers", str(sheet))[0] == 0


@pytest.mark.parametrize(("status", "code"), [(401, 1), (403, 1), (422, 2), (500, 1)])
def test_an_answer_that_is_no_gives_its_own_exit_code_and_sentence(
    status: int, code: int, platform: Platform, trellis: Any, sheet: Path
) -> None:
    platform.answers["POST /v1/imports/answers"] = [(status, {"detail": "So it is."})]

    assert trellis("load", "answers", str(sheet)) == (code, "", f"So it is. ({status})\n")


def test_a_platform_that_is_not_there_exits_1(trellis: Any, sheet: Path) -> None:
    code, _, err = trellis("load", "answers", str(sheet), "--url", "http://127.0.0.1:9")

    assert code == 1
    assert "nothing answers at http://127.0.0.1:9" in err


@pytest.mark.parametrize(
    "arguments", [("load", "recipes", "x"), ("load", "answers", "no-such-file"), ("demo",), ("fly",), ("load", "--fly")]
)
def test_a_mistyped_command_exits_1_not_2(arguments: tuple[str, ...], trellis: Any) -> None:
    code, out, err = trellis(*arguments)

    assert (code, out) == (1, "")
    assert err.count("\n") == 1


def test_the_key_and_the_address_kept_in_home_are_used(
    platform: Platform, trellis: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    home = opened(tmp_path / "home")
    home.keep_key("trl_live_kept")
    (home.path / "url").write_text(platform.url)
    monkeypatch.delenv("TRELLIS_URL")
    monkeypatch.delenv("TRELLIS_KEY")
    platform.answers["GET /v1/keys"] = [(200, {"items": [], "has_next": False})]

    code, out, _ = trellis("keys", "list", "--json")

    assert (code, json.loads(out)) == (0, {"keys": []})
    assert platform.keys == ["Bearer trl_live_kept"]


def test_a_new_key_is_printed_whole_at_the_start_of_a_line(platform: Platform, trellis: Any) -> None:
    key = "trl_live_abc_" + "x" * 60
    made = {
        "id": "abc", "name": "sync", "scopes": ["roster:read"], "purpose": "integration", "schools": None,
        "expires_at": "2027-01-01T00:00:00Z", "key": key,
    }  # fmt: skip
    platform.answers["POST /v1/keys"] = [(201, made)]

    code, out, _ = trellis("keys", "create", "sync", "--scope", "roster:read")

    assert code == 0
    assert f"API key  {key}" in out.splitlines()
    assert json.loads(platform.asked[0][2]) == {
        "name": "sync", "scopes": ["roster:read"], "purpose": "integration", "schools": None, "networks": [],
        "expires_in_days": 90, "district": None,
    }  # fmt: skip


def test_districts_are_made_with_the_operators_secret(
    platform: Platform, trellis: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRELLIS_OPERATOR_SECRET", "trl_oper_mine")
    platform.answers["POST /v1/districts"] = [(201, {"id": "1", "slug": "north", "name": "North"})]

    code, out, _ = trellis("districts", "create", "north", "--name", "North", "--json")

    assert (code, json.loads(out)["slug"]) == (0, "north")
    assert platform.keys == ["Bearer trl_oper_mine"]


def test_demo_writes_the_eight_files_and_names_them(trellis: Any, tmp_path: Path) -> None:
    code, out, err = trellis("demo", "--out", str(tmp_path / "demo"), "--students", "5", "--json")

    assert (code, err) == (0, "")
    assert [Path(file).stat().st_size > 0 for file in json.loads(out).values()] == [True] * 8


@pytest.mark.parametrize("kind", ["csv", "ndjson", "parquet"])
def test_demo_writes_the_answers_in_the_format_asked_for(kind: str, trellis: Any, tmp_path: Path) -> None:
    code, out, _ = trellis(
        "demo", "--out", str(tmp_path / "demo"), "--students", "5", "--answers-format", kind, "--json"
    )

    assert (code, Path(json.loads(out)["answers"]).name) == (0, f"answers.{kind}")


@pytest.mark.parametrize("kind", ["programme", "willingness"])
def test_programme_and_willingness_are_sent_to_doors_of_their_own(
    kind: str, platform: Platform, trellis: Any, sheet: Path
) -> None:
    platform.answers[f"POST /v1/imports/{kind}"] = [(202, {"id": "p-1"})]
    platform.answers["GET /v1/imports/p-1"] = [(200, report("applied"))]

    assert trellis("load", kind, str(sheet))[0] == 0
    assert platform.asked[0][:2] == ("POST", f"/v1/imports/{kind}")
