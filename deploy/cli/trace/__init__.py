"""`trellis trace`: fit knowledge tracing to responses, and see how well it predicts responses it has not seen.

Each command reads files, hands arrays to the mastery service's domain and writes JSON, a table or a report.
"""

import typer

from deploy.cli.trace import commands

app = typer.Typer(help="Knowledge tracing: fit skills from responses, predict others.", no_args_is_help=True)
app.command("fit")(commands.fit)
app.command("evaluate")(commands.evaluate)
