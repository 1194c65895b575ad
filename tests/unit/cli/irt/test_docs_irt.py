"""docs/numbers/irt-cli.md: what it shows is what the commands print."""

import json
import re
import shlex
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.unit.cli.irt.conftest import Irt

PAGE = Path(__file__).resolve().parents[4] / "docs" / "numbers" / "irt-cli.md"
BLOCK = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", flags=re.DOTALL | re.MULTILINE)
BLOCKS = BLOCK.findall(PAGE.read_text())
FILES = {name: content for _, name, content in BLOCKS if name}
EXAMPLES = [
    (shlex.split(command.strip().removeprefix("$ trellis irt ")), json.loads(answer))
    for (kind, _, command), (_, _, answer) in pairwise(BLOCKS)
    if kind == "console"
]


def held(shown: Any, printed: Any, where: str) -> None:
    """What is shown is there; lists may go on, objects may have more."""
    match shown:
        case dict():
            for name, one in shown.items():
                assert name in printed, f"{where}.{name}"
                held(one, printed[name], f"{where}.{name}")
        case list():
            assert len(printed) >= len(shown), where
            for place, one in enumerate(shown):
                held(one, printed[place], f"{where}[{place}]")
        case float():
            assert printed == pytest.approx(shown, abs=1e-3), where
        case _:
            assert printed == shown, where


def test_the_page_has_an_example_of_every_kind_of_answer() -> None:
    assert {arguments[0] for arguments, _ in EXAMPLES} >= {"calibrate", "score", "link", "fit", "simulate-cat"}


def test_the_examples_print_what_the_page_shows(
    irt: Irt, lsat6: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, content in FILES.items():
        (tmp_path / name).write_text(content)
    assert lsat6 == tmp_path / "lsat6.csv"

    for arguments, shown in EXAMPLES:
        held(shown, irt(*arguments).json, " ".join(arguments))
