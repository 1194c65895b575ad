"""The facts' wire form: linted, never broken, and every byte ever released still reads."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from google.protobuf.json_format import MessageToDict

from shared.events import class_of

ROOT = Path(__file__).resolve().parents[2]
PROTO = ROOT / "proto"
BUF = Path(sys.executable).with_name("buf")
GOLDEN = sorted((PROTO / "golden").glob("*/*.bin"))
EVENTS = [
    "trellis.events.roster.v1.StudentsPlaced",
    "trellis.events.roster.v1.PeopleJoined",
    "trellis.events.roster.v1.PeopleMoved",
    "trellis.events.roster.v1.PeopleLeft",
    "trellis.events.roster.v1.EnrollmentsChanged",
    "trellis.events.roster.v1.OrganisationsChanged",
    "trellis.events.roster.v1.PeopleMerged",
    "trellis.events.roster.v1.PeopleSplit",
    "trellis.events.roster.v1.AttendanceRecorded",
    "trellis.events.roster.v1.ClosuresChanged",
    "trellis.events.roster.v1.DemographicsRecorded",
    "trellis.events.assessment.v1.FormPublished",
    "trellis.events.assessment.v1.AdministrationPlanned",
    "trellis.events.assessment.v1.AttemptsScored",
    "trellis.events.mastery.v1.MasteryChanged",
    "trellis.events.partnership.v1.WillingnessDeclared",
    "trellis.events.partnership.v1.PartnershipsProposed",
    "trellis.events.partnership.v1.ProposalsAnswered",
]


def buf(*words: str, cwd: Path = PROTO) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(BUF), *words], cwd=cwd, text=True, capture_output=True, timeout=60)


@pytest.mark.parametrize("event", EVENTS)
def test_every_event_has_golden_bytes(event: str) -> None:
    assert list((PROTO / "golden" / event).glob("*.bin"))


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_released_bytes_still_say_the_same(path: Path) -> None:
    message = class_of(path.parent.name).FromString(path.read_bytes())

    said = MessageToDict(message, preserving_proto_field_name=True)

    assert said == json.loads(path.with_suffix(".json").read_text())
    assert message.SerializeToString(deterministic=True) == path.read_bytes()


@pytest.mark.parametrize("event", EVENTS)
def test_every_fact_begins_with_its_id_and_its_key(event: str) -> None:
    fact = class_of(event).DESCRIPTOR.fields_by_name["facts"].message_type

    assert fact is not None
    assert fact.fields_by_number[1].name == "id"
    assert fact.fields_by_number[1].type == fact.fields_by_number[2].type == fact.fields_by_number[2].TYPE_BYTES


def test_the_generated_code_is_what_the_proto_files_say(tmp_path: Path) -> None:
    files = [str(path.relative_to(PROTO)) for path in sorted(PROTO.glob("trellis/**/*.proto"))]

    subprocess.run(
        [sys.executable, "-m", "grpc_tools.protoc", "-I", str(PROTO), f"--python_out={tmp_path}", *files],
        check=True, timeout=60, capture_output=True,
    )  # fmt: skip

    for made in tmp_path.glob("**/*_pb2.py"):
        kept = ROOT / "shared" / "events_pb" / made.relative_to(tmp_path)
        assert kept.read_text() == made.read_text(), f"run make proto: {kept.name}"


def test_a_renumbered_field_breaks_the_released_image(tmp_path: Path) -> None:
    copy = tmp_path / "proto"
    shutil.copytree(PROTO, copy)
    proto = copy / "trellis/events/assessment/v1/assessment.proto"
    proto.write_text(proto.read_text().replace("bytes scores = 10;", "bytes scores = 20;"))

    same = buf("breaking", "--against", "released.binpb")
    broken = buf("breaking", "--against", str(PROTO / "released.binpb"), cwd=copy)

    assert same.returncode == 0, same.stdout + same.stderr
    assert broken.returncode != 0
    assert "scores" in broken.stdout


def test_the_proto_files_follow_the_standard_rules() -> None:
    assert buf("lint").returncode == 0
