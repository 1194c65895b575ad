"""The commands' names and options. What computes is imported when a command runs, so that `--help` is at once."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deploy.cli import show
from deploy.cli.irt.options import File, Groups, Id, Ignore, Items, Out, Report
from deploy.cli.options import Json

if TYPE_CHECKING:
    from deploy.cli.irt.files import ResponseFile

LINKING = ("mean-mean", "mean-sigma", "haebara", "stocking-lord")


def _read(file: Path, id: str | None, groups: str | None, ignore: list[str] | None) -> "ResponseFile":
    """The responses, with progress on stderr."""
    from deploy.cli.irt.files import read_responses

    with show.progress() as bar:
        return read_responses(
            file, id=id, groups=groups, ignore=ignore or (), progress=lambda done, total: bar.show("read", done, total)
        )


def link(
    from_: Annotated[
        Path,
        typer.Argument(metavar="FROM.json", help="The form to be moved.", exists=True, dir_okay=False),
    ],
    to: Annotated[
        Path, typer.Argument(metavar="TO.json", help="The form whose scale is kept.", exists=True, dir_okay=False)
    ],
    method: Annotated[str, typer.Option(help=" | ".join(LINKING))] = "stocking-lord",
    symmetric: Annotated[
        bool, typer.Option("--symmetric", help="Compare the curves on both scales (haebara, stocking-lord).")
    ] = False,
    without: Annotated[
        list[str] | None, typer.Option(help="A common item to leave aside; repeat it.", metavar="ITEM")
    ] = None,
    json: Json = False,
    out: Out = None,
    report: Report = None,
) -> None:
    """Link two calibrations by their common items: θ_TO = A θ_FROM + B."""
    from deploy.cli.irt import link as command
    from deploy.cli.irt.parameters import read_parameters
    from services.assessment.domain.irt.linking import Method

    _check("--method", method, LINKING)
    command.run(
        read_parameters(from_), read_parameters(to), Method(method), symmetric, without or [], json=json, out=out,
        report=report,
    )  # fmt: skip


def dif(
    file: File,
    groups: Annotated[str, typer.Option(help="The column with students' groups.", metavar="COLUMN")],
    focal: Annotated[str, typer.Option(help="The focal group's value; all others are the reference.", metavar="VALUE")],
    method: Annotated[str, typer.Option(help="mh: Mantel-Haenszel.")] = "mh",
    purify: Annotated[bool, typer.Option("--purify/--no-purify", help="Leave flagged items out of the score.")] = True,
    smallest_group: Annotated[int, typer.Option(min=2, help="Refuse groups with fewer students.")] = 10,
    id: Id = None,
    ignore: Ignore = None,
    json: Json = False,
    out: Out = None,
    report: Report = None,
) -> None:
    """Find items that are harder for a group than for others with the same score."""
    _check("--method", method, ("mh",))
    found = _read(file, id, groups, ignore)
    from deploy.cli.irt import dif as command

    command.run(found, focal, purify, smallest_group, json=json, out=out, report=report)


def fit(
    file: File,
    items: Items,
    elsewhere: Annotated[
        bool, typer.Option("--calibrated-elsewhere", help="The parameters come from other students: they cost no df.")
    ] = False,
    id: Id = None,
    groups: Groups = None,
    ignore: Ignore = None,
    json: Json = False,
    out: Out = None,
    report: Report = None,
) -> None:
    """Say how well items fit: S-X², infit, outfit."""
    from deploy.cli.irt import fit as command
    from deploy.cli.irt.parameters import read_parameters

    known = read_parameters(items)
    command.run(_read(file, id, groups, ignore), known, elsewhere, json=json, out=out, report=report)


def _check(option: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise typer.BadParameter(f"{value!r} is none of {', '.join(allowed)}", param_hint=option)
