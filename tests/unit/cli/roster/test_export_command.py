"""`trellis roster export`, beside a small server that answers as the gateway documents."""

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.cli.roster.downloads import Command, Platform, answering

MANIFEST = "propertyName,value\nmanifest.version,1.0\nfile.orgs,delta\nfile.users,absent\n"


def an_archive(orgs: str = "sourcedId\na\n") -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("manifest.csv", MANIFEST)
        archive.writestr("orgs.csv", orgs)
    return made.getvalue()


@pytest.fixture
def platform() -> Iterator[Platform]:
    with answering(an_archive(), x_trellis_revision="41") as made:
        yield made


@pytest.fixture
def command(
    platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    return Command("export", tmp_path / "roster.zip", platform, monkeypatch, capsys)


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
