"""Rules of the house that a machine can check, each with its reason."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
KAFKA = {"shared/bus/kafka.py", "shared/bus/kafka_cluster.py"}


def sources(word: str) -> Iterator[tuple[str, ast.Module]]:
    """Every module of ours that has this word in it, with its path from the root; generated code left out."""
    for top in ("services", "shared", "deploy", "tests"):
        for path in sorted((ROOT / top).rglob("*.py")):
            name = path.relative_to(ROOT).as_posix()
            if not name.startswith("shared/events_pb/") and word in (text := path.read_text()):
                yield name, ast.parse(text, filename=name)


def imported(module: ast.Module) -> set[str]:
    """The top-level packages a module imports, wherever in it."""
    found = set()
    for node in ast.walk(module):
        match node:
            case ast.Import(names=names):
                found |= {name.name.partition(".")[0] for name in names}
            case ast.ImportFrom(module=str(name), level=0):
                found.add(name.partition(".")[0])
    return found


def test_aiokafka_is_used_by_the_bus_alone() -> None:
    """Its defaults lose records: acks=1, automatic commits, `latest`. One wrapper sets them all."""
    users = {name for name, module in sources("aiokafka") if "aiokafka" in imported(module)}

    assert users == KAFKA


def test_the_rule_sees_an_import_inside_a_function() -> None:
    hidden = ast.parse("def innocent():\n    from aiokafka.producer import AIOKafkaProducer\n")

    assert "aiokafka" in imported(hidden)
