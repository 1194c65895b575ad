"""`trellis match`: a programme and a file of schools to pairs with reasons; bad files are refused by name."""

import json
from pathlib import Path

import pytest

from deploy.cli.main import main

PROGRAMME = """\
format = "trellis-programme/1"
id = "pairs"
title = "Pairs"
partnerships = 3
budget = 30
cost_per_partnership = 10
currency = "USD"

[[areas]]
id = "maths"
title = "Mathematics"

[rules]
max_distance_km = 50
"""
HEADER = "id,name,latitude,longitude,sector,maths strength,maths need,maths role,maths eagerness,maths capacity"
ROWS = (
    "a,Ash,40.70,-74.00,district,90%,,offers,5,1",
    "b,Birch,40.71,-74.00,charter,.5,,offers,3,1",
    "c,Cedar,40.72,-74.00,district,,0.8,seeks,4,1",
    "d,Dogwood,40.73,-74.00,charter,,0.7,seeks,,1",
    "e,Elm,N/A,N/A,district,,0.9,seeks,5,1",
    "f,Fir,40.74,-74.00,district,0.4,0.9,,,",
)
C = ROWS[2]
MAPPED = """
[schools]
id = "Code"
name = "School"
latitude = "Lat"
longitude = "Long"
context = ["Poverty"]

[schools.attributes.sector]
column = "Code"
prefixes = { "84" = "charter" }
otherwise = "district"

[schools.attributes.tier]
column = "Poverty"
parts = 5

[schools.areas.maths]
reached = ["G3 4s", "G4 4s"]
tested = ["G3", "G4"]
"""


def written(folder: Path, programme: str = PROGRAMME, rows: tuple[str, ...] = ROWS, header: str = HEADER) -> list[str]:
    files = folder / "programme.toml", folder / "schools.csv"
    files[0].write_text(programme, encoding="utf-8")
    files[1].write_text("".join(f"{line}\n" for line in (header, *rows)), encoding="utf-8")
    return [str(file) for file in files]


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr("sys.argv", ["trellis", "match", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


def answered(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, object]:
    run(monkeypatch, *arguments, "--json")
    found: dict[str, object] = json.loads(capsys.readouterr().out)
    return found


class TestMatching:
    def test_gives_pairs_with_reasons_and_a_certificate(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        made = answered(monkeypatch, capsys, *written(tmp_path))

        pairs = made["pairs"]
        assert isinstance(pairs, list)
        assert {(one["host"], one["guest"]) for one in pairs} == {("a", "c"), ("b", "d")}
        assert pairs[0]["reason"].startswith("Ash offers help in Mathematics, with a strength of 0.90 (from 0 to 1),")
        assert all(one["alternative"] for one in pairs)
        assert made["certificate"] == {
            "candidates": 4, "pairs": 2, "weight": sum(one["weight"] for one in pairs),
            "bound": sum(one["weight"] for one in pairs), "gap": 0.0, "method": "flow", "optimum": None,
        }  # fmt: skip
        assert made["assumptions"] == []

    def test_leaves_who_says_nothing_alone_and_tells_who_has_no_location(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        made = answered(monkeypatch, capsys, *written(tmp_path))

        alone = made["unmatched"]
        assert isinstance(alone, list)
        assert [(one["school"], one["reason"]) for one in alone] == [
            ("e", "The programme limits the distance between partners, and the location of this school is not known.")
        ]

    def test_is_the_same_for_a_seed_and_for_another_order_of_rows(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        one = answered(monkeypatch, capsys, *written(tmp_path), "--seed", "7")
        two = answered(monkeypatch, capsys, *written(tmp_path, rows=ROWS[::-1]), "--seed", "7")

        assert one["pairs"] == two["pairs"]
        assert one["unmatched"] == two["unmatched"]

    def test_without_a_column_of_roles_assumes_and_says_so(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        header = HEADER.replace("maths role", "role not used")
        made = answered(monkeypatch, capsys, *written(tmp_path, header=header))

        assert "every school is taken to be" in str(made["assumptions"])
        assert {one["willing"] for one in made["profiles"]} == {"assumed"}  # type: ignore[attr-defined]  # a list of objects

    def test_stable_names_the_rules_that_it_does_not_keep(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        programme = PROGRAMME.replace("partnerships = 3", "partnerships = 1")

        made = answered(monkeypatch, capsys, *written(tmp_path, programme), "--stable")

        assert made["blocking_pairs"] == []
        assert made["broken_rules"] == ["at most 1 partnership"]
        assert made["certificate"]["method"] == "stable"  # type: ignore[index]  # an object

    def test_a_programme_that_cannot_be_met_ends_with_2_and_the_rules(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        code = run(monkeypatch, *written(tmp_path, PROGRAMME + "[rules.balance.private]\nat_least = 1\n"), "--json")

        assert code == 2
        said = json.loads(capsys.readouterr().out)
        assert said["feasible"] is False
        assert said["explanation"] == (
            "Too few schools are willing: the programme asks for at least 1 places for private schools."
        )

    def test_writes_a_report_with_a_map_and_no_script(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        out = tmp_path / "report.html"

        assert run(monkeypatch, *written(tmp_path), "--report", str(out)) == 0

        html = out.read_text(encoding="utf-8")
        assert "<svg" in html
        assert "2 lines between partners" in html
        assert "no choice that keeps the rules weighs more than" in html
        assert "<script" not in html
        capsys.readouterr()

    def test_reads_a_file_as_it_is_by_a_table_of_columns(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        rows = tuple(
            f"{84 if n % 3 == 0 else 10}M{n:03},S {n},{40 + n / 500:.3f},-74.0,{n % 50 + 10}%,"
            f"{100 + n % 7},{(n * 37) % 90},{90 + n % 5},{(n * 37) % 90 - (n * 37) % 90 // 9 + n % 4}"
            for n in range(90)
        )
        header = "Code,School,Lat,Long,Poverty,G3,G3 4s,G4,G4 4s"
        rules = '[rules.equity]\nat_least = 0.5\nattribute = "tier"\nvalues = ["5"]\n[rules.fit]\ntier = 0.8\n'

        made = answered(monkeypatch, capsys, *written(tmp_path, PROGRAMME + rules + MAPPED, rows, header))

        profiles, pairs = made["profiles"], made["pairs"]
        assert isinstance(profiles, list)
        assert isinstance(pairs, list)
        assert len(pairs) == 3
        assert {one["measure"] for one in profiles} == {"adjusted"}
        known = [one for one in profiles if one["enough"]]
        assert len(known) > 45
        assert all(one["lower"] < one["estimate"] < one["upper"] for one in known)
        assert "of schools with like students" in pairs[0]["reason"]
        poverty = {row.split(",")[0]: int(row.split(",")[4][:-1]) for row in rows}
        assert sum(poverty[one["guest"]] >= 48 for one in pairs) >= 2


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (C, "c,Cedar,-74.00,40.72,district,,0.8,seeks,4,1", "school c (Cedar) are swapped"),
        (C, "c,Cedar,140.72,-74.00,district,,0.8,seeks,4,1", "no latitude; are latitude and longitude swapped?"),
        (C, "c,Cedar,40.72,,district,,0.8,seeks,4,1", "school c has a latitude or a longitude, and not the other"),
        (C, "a,Cedar,40.72,-74.00,district,,0.8,seeks,4,1", "the school a is on line 2 already"),
        (C, ",Cedar,40.72,-74.00,district,,0.8,seeks,4,1", "line 4: this school has no id"),
        (C, "c,Cedar,40.72,-74.00,district,,much,seeks,4,1", "school c, column 'maths need': 'much' is not a number"),
        (C, "c,Cedar,40.72,-74.00,district,,nan,seeks,4,1", "school c, column 'maths need': 'nan' is not a number"),
        (C, "c,Cedar,40.72,-74.00,district,,0.8,helps,4,1", "school c: a role is offers, seeks or nothing, not"),
        (C, "c,Cedar,40.72,-74.00,district,,0.8,seeks,9,1", "school c: maths eagerness is a whole number from 1"),
        (C, "c,Cedar,40.72", "line 4 has 3 cells, the header 10"),
        ("latitude,longitude", "lat,lng", "there is no column 'latitude'"),
    ],
)  # fmt: skip
def test_a_file_of_schools_is_refused_by_the_name_of_what_is_wrong(
    old: str, new: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    files = written(tmp_path)
    Path(files[1]).write_text(Path(files[1]).read_text(encoding="utf-8").replace(old, new), encoding="utf-8")

    assert run(monkeypatch, *files, "--json") == 2

    told = capsys.readouterr()
    assert said in " ".join(told.err.split())
    assert told.out == ""


def test_an_empty_file_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for content in ("", HEADER):
        files = written(tmp_path, rows=())
        Path(files[1]).write_text(content, encoding="utf-8")

        assert run(monkeypatch, *files) == 2
        assert "there is no school in this file" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ('[[rules.prefer]]\nschools = ["a", "a"]\n', "Both are the same school, a; name two schools."),
        ('[[rules.conflicts]]\nschools = ["c", "c"]\nreason = "?"\n', "Both are the same school, c; name two schools."),
        ('[[rules.locked]]\nhost = "b"\nguest = "b"\narea = "maths"\n', "no school is its own partner"),
        ('[[rules.prefer]]\nschools = ["a", "z"]\n', "a rule names the school z"),
        ("[rules.fit]\nborough = 0.5\n", "Nothing declares this attribute of schools; there is sector."),
    ],
)
def test_a_programme_is_refused_by_its_rule(
    rules: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, *written(tmp_path, PROGRAMME + rules)) == 2

    assert said in " ".join(capsys.readouterr().err.split())
