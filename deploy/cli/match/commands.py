"""The command, its arguments and options."""

from pathlib import Path
from typing import Annotated

import typer

from deploy.cli import show
from deploy.cli.options import Json

INFEASIBLE = 2


def match(
    programme: Annotated[
        Path,
        typer.Argument(help="The programme, TOML.", exists=True, dir_okay=False, readable=True, show_default=False),
    ],
    schools: Annotated[
        Path,
        typer.Argument(help="The schools, CSV.", exists=True, dir_okay=False, readable=True, show_default=False),
    ],
    seed: Annotated[int, typer.Option(min=0, help="Decides between equals; the same seed does the same.")] = 0,
    stable: Annotated[
        bool, typer.Option("--stable", help="The stable matching that is best for every guest, not the optimum.")
    ] = False,
    report: Annotated[
        Path | None, typer.Option(help="Write a page for people, with a map.", dir_okay=False, show_default=False)
    ] = None,
    json: Json = False,
) -> None:
    """Bring schools together that can help each other: profiles, pairs, reasons, a certificate and a map."""
    from deploy.cli.match import output, pages, work  # the domain, and numba with it, for this command alone

    made = work.done(programme, schools, seed=seed, stable=stable)
    if report is not None:
        report.write_text(pages.report(made), encoding="utf-8")
    if json:
        show.as_json(output.as_json(made))
    else:
        output.tables(made)
    for each in made.assumptions:
        show.message(each)
    if not made.outcome.is_feasible:
        show.message(made.outcome.explanation or "")
        raise typer.Exit(INFEASIBLE)
