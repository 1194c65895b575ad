"""The queries that the terminal suggests: they can be asked, and name what is there."""

import csv
import io
from pathlib import Path
from zipfile import ZipFile

import pytest
from graphql import build_schema, parse, validate

from deploy import proposals
from deploy.cli.demo import DemoFiles, write_demo
from deploy.cli.example import DEMO, Example, queries, to_show
from deploy.cli.load import Kind, Load

SCHEMA = Path(__file__).parents[3] / "services" / "gateway" / "schema.graphql"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> DemoFiles:
    return write_demo(tmp_path_factory.mktemp("demo"), students=400, seed=1)


@pytest.mark.parametrize(
    "query",
    [
        *(query for _, query in [*queries(DEMO), *queries(Example())]),
        proposals._PROGRAMME,
        proposals._FIGURES,
        proposals._PUBLISH,
        proposals._PROPOSE,
    ],
    ids=lambda query: query.split()[1].partition("(")[0],
)
def test_a_query_of_ours_is_valid_in_the_graph(query: str) -> None:
    schema = build_schema(SCHEMA.read_text(encoding="utf-8"))

    assert validate(schema, parse(query)) == []


def test_the_demonstration_shows_a_class_a_school_and_a_programme_of_its_files(demo: DemoFiles) -> None:
    with ZipFile(demo.roster) as packed:
        ids = {
            row["sourcedId"]
            for name in ("classes", "orgs")
            for row in csv.DictReader(io.StringIO(packed.read(f"{name}.csv").decode()))
        }

    assert {DEMO.class_id, DEMO.school} <= ids
    assert f'id = "{DEMO.programme}"' in demo.programme.read_text(encoding="utf-8")


def test_what_was_in_the_users_files_is_shown_at_the_next_start_too(demo: DemoFiles, tmp_path: Path) -> None:
    home = tmp_path / "home"
    kinds = {
        Kind.ROSTER: demo.roster,
        Kind.ATTENDANCE: demo.attendance,
        Kind.CLOSURES: demo.closures,
        Kind.PROGRAMME: demo.programme,
    }
    files = [Load(kind, file) for kind, file in kinds.items()]

    first = to_show(home, files, is_demo=False)
    again = to_show(home, [], is_demo=False)

    assert first == again == Example("CLS-0001-03-1-M", "SCH-0001", "learning-partnerships", "2026-09-14")
    assert [name for name, _ in queries(again)] == [
        "a class page",
        "closures and attendance",
        "a school page",
        "a programme's proposals",
    ]


def test_an_id_that_would_break_out_of_a_query_is_not_shown(tmp_path: Path) -> None:
    programme = tmp_path / "programme.toml"
    programme.write_text("id = 'x\") { title } }'")

    assert to_show(tmp_path / "home", [Load(Kind.PROGRAMME, programme)], is_demo=False) == Example()


@pytest.mark.parametrize("content", [b"", b"no zip, no TOML = = 1", b"\xff\xfe"])
def test_a_file_that_cannot_be_read_shows_nothing(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(content)

    kinds = (Kind.ROSTER, Kind.ATTENDANCE, Kind.PROGRAMME)
    shown = to_show(tmp_path / "home", [Load(kind, file) for kind in kinds], is_demo=False)

    assert shown == Example()
    assert [name for name, _ in queries(shown)] == ["the administrations"]
