"""One district pulls from another over OneRoster's REST, with the platform at both ends, and stays like it."""

import csv
import io
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest

from deploy.cli.demo import write_demo
from deploy.cli.door import opened
from deploy.cli.load import Kind
from tests.e2e.harness import ROOT, TRELLIS, Platform, environment, load_file

STUDENTS = 60
SECRET = "TRELLIS_E2E_PULL_SECRET"


class Neighbours:
    """A district that is pulled from, and one that pulls."""

    def __init__(self, platform: Platform, folder: Path, source: str, copy: str) -> None:
        self.platform, self.folder = platform, folder
        self.source, self.copy = source, copy
        self.folder.joinpath("source.toml").write_text(
            f'url = "{platform.url}"\nversion = "1.2"\ntoken_url = "{platform.url}/oauth2/token"\n'
            f'client_id = "{source.split("_")[2]}"\nsecret_env = "{SECRET}"\nlimit = 50\n'
        )

    def run(self, *command: str, key: str) -> subprocess.CompletedProcess[str]:
        asked = [*TRELLIS, "roster", *command, "--url", self.platform.url, "--key", key]
        done = subprocess.run(
            asked, cwd=ROOT, env=environment() | {SECRET: self.source}, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done

    def pull(self, *options: str) -> str:
        return self.run("pull", str(self.folder / "source.toml"), *options, key=self.copy).stdout

    def exported(self, key: str) -> dict[str, list[dict[str, str]]]:
        """What an archive says of what REST tells too, in any order."""
        out = self.folder / "out.zip"
        self.run("export", str(out), key=key)
        with zipfile.ZipFile(out) as archive:
            read = {name: archive.read(name).decode() for name in archive.namelist()}
        return {name: sorted(map(_told, _rows(text)), key=str) for name, text in read.items() if name != "manifest.csv"}

    def differences(self) -> list[Any]:
        """Rows that only one of the two has, and which."""
        ours, theirs = self.exported(self.copy), self.exported(self.source)
        return [
            (name, side, row)
            for name in sorted({*ours, *theirs})
            for side, one, other in (("copy", ours, theirs), ("source", theirs, ours))
            for row in one.get(name, [])
            if row not in other.get(name, [])
        ]


def _rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


UNTOLD = {"metadata.sector", "metadata.latitude", "metadata.longitude"}
"""What the roster keeps in columns of its own, and REST has no member for."""


def _told(row: dict[str, str]) -> dict[str, str]:
    """Without what REST does not tell: roles and the like have no sourcedId there, score scales no organisation.

    A user's resources are told without the organisation and class they are for.
    """
    untold = set(UNTOLD)
    if {"roleType", "resourceSourcedId", "learningObjectiveId", "scoreScaleSourcedId", "credentialType"} & set(row):
        untold |= {"sourcedId", "title"}
    if "scoreScaleValue" in row or {"userSourcedId", "resourceSourcedId"} <= set(row):
        untold |= {"orgSourcedId"} if "scoreScaleValue" in row else {"orgSourcedId", "classSourcedId"}
    return {name: said for name, said in row.items() if name not in untold}


@pytest.mark.parametrize("platform", ["embedded"], indirect=True)  # both modes serve REST by the same code
async def test_a_district_that_pulls_stays_like_the_one_it_pulls_from(platform: Platform, tmp_path: Path) -> None:
    source, copy = await platform.new_district("source"), await platform.new_district("copy")
    neighbours = Neighbours(platform, tmp_path, source, copy)
    demo = write_demo(tmp_path / "demo", STUDENTS, 3)
    async with opened(platform.url, source) as door:
        await load_file(door, Kind.ROSTER, demo.roster)

    neighbours.pull()

    assert neighbours.differences() == []

    changed = tmp_path / "changed.zip"
    _change(demo.roster, changed)
    async with opened(platform.url, source) as door:
        report = await load_file(door, Kind.ROSTER, changed)
        assert report["state"] == "applied", report

    said = neighbours.pull()

    assert "changes since" in said
    assert neighbours.differences() == []


def _change(before: Path, after: Path) -> None:
    """Somebody is renamed, and an enrolment goes."""
    with zipfile.ZipFile(before) as old, zipfile.ZipFile(after, "w") as new:
        for name in old.namelist():
            lines = old.read(name).decode().splitlines(keepends=True)
            if name == "users.csv":
                given = _rows("".join(lines))[-1]["givenName"]
                lines[-1] = lines[-1].replace(given, "Renamed", 1)
            if name == "enrollments.csv":
                del lines[-1]
            new.writestr(name, "".join(lines))
