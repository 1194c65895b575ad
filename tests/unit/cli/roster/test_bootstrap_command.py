"""`trellis roster bootstrap`, beside a small server that answers as the gateway documents."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.cli.roster.downloads import Command, Platform, answering

HEAD = {"format": "trellis.roster-facts.v1", "district": "d", "revision": 7, "at": "2026-09-01T08:00:00Z",
        "listen_from": "2026-09-01T07:59:00Z", "types": ["StudentsPlaced"]}  # fmt: skip
FACT = {"type": "trellis.events.roster.v1.StudentsPlaced", "fact": {"student": "AAAA"}}
END = {"end": {"StudentsPlaced": 2}, "facts": 2}


def lines(*content: object) -> bytes:
    return b"".join(json.dumps(one).encode() + b"\n" for one in content)


@pytest.fixture
def platform() -> Iterator[Platform]:
    with answering(lines(HEAD, FACT, FACT, END)) as made:
        yield made


@pytest.fixture
def command(
    platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    return Command("bootstrap", tmp_path / "facts.ndjson", platform, monkeypatch, capsys)


def test_the_facts_are_written_and_from_when_to_listen_is_said(
    command: Command, platform: Platform, tmp_path: Path
) -> None:
    code, _, said = command.run()

    assert code == 0
    assert (tmp_path / "facts.ndjson").read_bytes() == platform.content
    assert "from 2026-09-01T07:59:00Z on" in " ".join(said.split())
    assert platform.asked == ["/v1/exports/roster-facts"]


def test_a_program_is_told_what_came(command: Command, platform: Platform) -> None:
    code, said, _ = command.run("--json", "--types", "StudentsPlaced")

    assert code == 0
    assert json.loads(said) == {
        "file": str(command.out), "bytes": len(platform.content), "revision": 7,
        "at": HEAD["at"], "listen_from": HEAD["listen_from"], "facts": {"StudentsPlaced": 2},
    }  # fmt: skip
    assert platform.asked == ["/v1/exports/roster-facts?types=StudentsPlaced"]


@pytest.mark.parametrize(
    "content",
    [lines(HEAD, FACT, FACT), lines(HEAD, FACT, END), lines(FACT, FACT, FACT, END), b"", b"<html>", lines(1, 2)],
    ids=["no end", "a fact too few", "no head", "nothing", "no facts", "numbers"],
)
def test_what_did_not_arrive_whole_replaces_nothing(
    command: Command, platform: Platform, tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "facts.ndjson").write_text("the one before")
    platform.content = content

    code, _, said = command.run()

    assert code == 1
    assert "did not arrive whole" in said
    assert [file.name for file in tmp_path.iterdir()] == ["facts.ndjson"]
    assert (tmp_path / "facts.ndjson").read_text() == "the one before"


def test_a_folder_that_is_not_there_is_said_in_a_sentence(command: Command, tmp_path: Path) -> None:
    out = tmp_path / "nowhere" / "facts.ndjson"

    code, _, said = command.run(out=out)

    assert code == 1
    assert "".join(said.split()) == f"{out}.partial:nosuchfileordirectory"
