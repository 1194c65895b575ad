"""Files of responses: the same answers in every shape, and a located sentence for whatever is no answer."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from deploy.cli.irt.files import ResponseFile, read_responses
from deploy.cli.refusal import Refused
from services.assessment.domain.irt.responses import NOT_PRESENTED

WIDE = "student,sex,i1,i2,i3\na,f,1,0,\nb,m,NA,2,1\nc,f,0,1,0\n"
LONG = "student,item,score,sex\na,i1,1,f\na,i2,0,f\nb,i2,2,m\nb,i3,1,m\nc,i1,0,f\nc,i2,1,f\nc,i3,0,f\n"
CODES = np.array([[1, 0, 255], [255, 2, 1], [0, 1, 0]], dtype=np.uint8)


def read(tmp_path: Path, content: str | bytes, **options: object) -> ResponseFile:
    file = tmp_path / "file.csv"
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_responses(file, **options)  # type: ignore[arg-type]  # the tests' own options


def test_wide_long_and_parquet_are_the_same_answers(tmp_path: Path) -> None:
    options = {"id": "student", "groups": "sex"}
    columns = {"student": ["a", "b", "c"], "sex": ["f", "m", "f"], "i1": [1, None, 0], "i2": [0, 2, 1],
               "i3": [None, 1.0, 0.0]}  # fmt: skip
    pyarrow.parquet.write_table(pa.table(columns), tmp_path / "wide.parquet")
    lines = [line.split(",") for line in LONG.split()]
    entries = {name: [line[place] for line in lines[1:]] for place, name in enumerate(lines[0])}
    entries["score"] = [int(one) for one in entries["score"]]  # type: ignore[misc]  # numbers, as Parquet has them
    pyarrow.parquet.write_table(pa.table(entries), tmp_path / "long.parquet")

    found = [
        read(tmp_path, WIDE, **options),
        read(tmp_path, LONG, **options),
        read_responses(tmp_path / "wide.parquet", id="student", groups="sex"),
        read_responses(tmp_path / "long.parquet", groups="sex"),
    ]

    for one in found:
        assert one.items == ("i1", "i2", "i3")
        assert one.categories == ((0, 1), (0, 1, 2), (0, 1))
        assert one.students == ("a", "b", "c")
        assert one.grouping is not None
        assert one.grouping.labels == ("f", "m")
        assert one.grouping.codes.tolist() == [0, 1, 0]
        np.testing.assert_array_equal(one.rows(), CODES)


def test_lines_of_a_long_file_may_stand_in_any_order(tmp_path: Path) -> None:
    found = read(tmp_path, "student,item,score\nb,y,1\na,x,0\nb,x,1\na,y,0\nc,x,1\n")

    assert found.students == ("b", "a", "c")
    assert found.items == ("y", "x")
    assert found.rows().tolist() == [[1, 1], [0, 0], [NOT_PRESENTED, 1]]


def test_an_items_categories_are_its_distinct_scores_in_order(tmp_path: Path) -> None:
    found = read(tmp_path, "x,y\n6,1\n1,0\n3,1\n1,0\n")

    assert found.categories == ((1, 3, 6), (0, 1))
    assert found.rows()[:, 0].tolist() == [2, 0, 1, 0]


@pytest.mark.parametrize(
    "content",
    [
        "﻿x,y\n1,0\n0,1\n",
        "x\ty\n1\t0\n0\t1\n",
        "x;y\n1;0\n0;1\n",
        '"x","y"\r\n"1","0"\r\n0,1',
        "x,y\n1.0,0.0\n0.0,1.0\n",
        "x,y\n 1,0 \n\n0,1\n\n",
        "x,y,remark\n1,0,z\n0,1,\n",
    ],
    ids=["byte order mark", "tabs", "semicolons", "quotes and CRLF", "decimal points", "blanks", "an ignored column"],
)
def test_the_usual_ways_of_writing_a_table_are_read(tmp_path: Path, content: str) -> None:
    found = read(tmp_path, content, ignore=["remark"] if "remark" in content else [])

    assert found.items == ("x", "y")
    assert found.rows().tolist() == [[1, 0], [0, 1]]


def test_a_student_without_answers_keeps_the_row(tmp_path: Path) -> None:
    found = read(tmp_path, "x,y\n1,0\n,\nNA,\n0,1\n")

    assert found.answered.tolist() == [2, 0, 0, 2]


def test_a_sparse_long_file_is_never_made_a_matrix(tmp_path: Path) -> None:
    lines = [f"s{student},i{(student * 7 + step) % 200},{step % 2}" for student in range(300) for step in range(5)]

    found = read(tmp_path, "student,item,score\n" + "\n".join(lines) + "\n")

    assert found.dense is None
    assert found.entries is not None
    assert found.entries.width == len(found.items) == 200
    assert np.diff(found.entries.bounds).tolist() == [5] * 300
    assert (np.diff(found.entries.items.reshape(300, 5), axis=1) > 0).all()
    again = {
        (found.students[student], found.items[item]): found.categories[item][score]  # type: ignore[index]  # they are there
        for student in range(300)
        for item, score in zip(
            found.entries.items[5 * student : 5 * student + 5],
            found.entries.scores[5 * student : 5 * student + 5],
            strict=True,
        )
    }
    assert again == {(line.split(",")[0], line.split(",")[1]): int(line.split(",")[2]) for line in lines}


def test_times_stay_with_their_answers(tmp_path: Path) -> None:
    found = read(tmp_path, "student,item,score,time\nb,y,1,3.5\na,y,0,\nb,x,1,2\na,x,0,9\n")

    assert found.seconds is not None
    np.testing.assert_array_equal(found.seconds, [[3.5, 2.0], [np.nan, 9.0]])


def test_answers_recoded_to_known_categories_keep_their_meaning(tmp_path: Path) -> None:
    found = read(tmp_path, "x,y\n3,1\n1,0\n,1\n")

    again = found.recoded([(1, 2, 3), (0, 1)])

    assert again.rows().tolist() == [[2, 1], [0, 0], [NOT_PRESENTED, 1]]


@pytest.mark.parametrize("shape", ["wide", "long"])
def test_an_answer_outside_the_categories_is_named_by_place_item_and_value(tmp_path: Path, shape: str) -> None:
    content = "student,x,y\na,1,0\nb,0,1\nc,2,1\n" if shape == "wide" else "student,item,score\na,x,1\nb,x,0\nc,x,2\n"
    found = read(tmp_path, content, id="student")

    with pytest.raises(Refused, match=r"line 4, student c: item x has score 2, but its categories are 0, 1"):
        found.recoded([(0, 1)] * len(found.items))


BAD = {
    "an empty file": ("", {}, r"file\.csv is empty"),
    "nothing but blank lines": ("\n\n", {}, r"file\.csv is empty"),
    "a header alone": ("x,y\n", {}, "a header and no students"),
    "a header without a line's end": ("x,y", {}, "a header and no students"),
    "a long header alone": ("student,item,score\n", {}, "a header and no students"),
    "a name twice": ("x,y,x\n1,0,1\n", {}, "columns 1 and 3 are both called 'x'"),
    "a column without a name": ("x,,y\n1,0,1\n", {}, "column 2 has no name"),
    "a short row": ("x,y\n1,0\n1\n0,1\n", {}, "line 3: 1 cells where the header has 2"),
    "a long row": ("x,y\n1,0\n0,1,1\n", {}, "line 3: 3 cells where the header has 2"),
    "a word": ("x,y\n1,0\n0,right\n", {}, "line 3, column 'y': 'right' is no score"),
    "a word after blank lines": ("x,y\n\n1,0\n\n0,right\n", {}, "line 5, column 'y': 'right' is no score"),
    "NaN": ("x,y\n1,0\nNaN,1\n", {}, "line 3, column 'x': 'NaN' is no score"),
    "infinity": ("x,y\n1,0\n0,inf\n", {}, "line 3, column 'y': 'inf' is no score"),
    "half a point": ("x,y\n1,0\n0.5,1\n", {}, "line 3, column 'x': '0.5' is no whole number"),
    "a negative score": ("x,y\n1,0\n-1,1\n", {}, "line 3, column 'x': '-1' is out of range"),
    "a score too high": ("x,y\n1,251\n0,1\n", {}, "line 2, column 'y': '251' is out of range"),
    "an identifier that was not named": ("who,y\nann,1\n", {}, "column 'who': 'ann' is no score.*name it by --id"),
    "an item nobody saw": ("x,y\n1,\n0,NA\n", {}, "nobody was presented item 'y'"),
    "no such identifier": ("x,y\n1,0\n", {"id": "who"}, r"no column 'who' \(--id\)"),
    "no such group": ("x,y\n1,0\n", {"groups": "sex"}, r"no column 'sex' \(--groups\)"),
    "no column for an item": ("who,sex\na,f\n", {"id": "who", "groups": "sex"}, "no column left for an item"),
    "an identifier twice": ("who,x\na,1\nb,0\na,1\n", {"id": "who"}, "'a' stands at line 2 and line 4"),
    "an identifier missing": ("who,x\na,1\n,0\n", {"id": "who"}, "line 3, column 'who': an identifier is missing"),
    "an answer twice": ("student,item,score\na,x,1\nb,x,0\na,x,1\n", {},
                        "student 'a' has item 'x' at line 2 and line 4"),
    "a changing group": ("student,item,score,sex\na,x,1,f\na,y,0,m\n", {"groups": "sex"},
                         "student 'a' changes group between line 2 and line 3"),
    "a column too many in a long file": ("student,item,score,sex\na,x,1,f\n", {}, "a column 'sex' besides"),
    "a student without a name": ("student,item,score\na,x,1\n,x,0\n", {}, "line 3, column 'student': is empty"),
    "a time that is none": ("student,item,score,time\na,x,1,soon\n", {}, "line 2, column 'time': 'soon' is no number"),
    "a long score that is none": ("student,item,score\na,x,1\nb,x,?\n", {},
                                  "line 3, column 'score': '\\?' is no score"),
}  # fmt: skip


@pytest.mark.parametrize(("content", "options", "said"), BAD.values(), ids=BAD.keys())
def test_what_is_wrong_is_said_with_its_place(tmp_path: Path, content: str, options: dict[str, str], said: str) -> None:
    with pytest.raises(Refused, match=said):
        read(tmp_path, content, **options)


def test_text_that_is_not_utf8_is_refused_by_line(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="line 3: not UTF-8"):
        read(tmp_path, b"who,x\na,1\n\xe9,0\n", id="who")


def test_utf16_is_named(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="not text in UTF-8"):
        read(tmp_path, "x,y\n1,0\n".encode("utf-16"))


def test_a_broken_parquet_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="no readable Parquet file"):
        read(tmp_path, b"PAR1 and nothing else PAR1")


@pytest.mark.parametrize(
    ("values", "said"),
    [([1.0, 0.5], "row 2, column 'x': '0.5' is no whole number"), ([1.0, float("nan")], "row 2, column 'x': NaN")],
)
def test_parquet_cells_are_held_to_the_same_rules(tmp_path: Path, values: list[float], said: str) -> None:
    pyarrow.parquet.write_table(pa.table({"x": values}), tmp_path / "x.parquet")

    with pytest.raises(Refused, match=said):
        read_responses(tmp_path / "x.parquet")


def test_a_file_longer_than_a_block_is_read_whole_and_located_exactly(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    scores = rng.integers(0, 3, (60_000, 80))
    text = [",".join(map(str, row)) for row in scores.tolist()]
    header = ",".join(f"i{item}" for item in range(80))

    found = read(tmp_path, "\n".join([header, *text]) + "\n")

    np.testing.assert_array_equal(found.rows(), scores)
    text[59_990] = text[59_990][:-1] + "x"
    with pytest.raises(Refused, match="line 59992, column 'i79': 'x' is no score"):
        read(tmp_path, "\n".join([header, *text]) + "\n")
