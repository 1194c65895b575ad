"""`trellis irt`: calibrate items, score students, link forms, and look at items, from files.

Each command reads a file, hands arrays to the assessment service's domain and writes JSON, a table or a report.
"""

import typer

from deploy.cli.irt import commands

app = typer.Typer(help="Measurement: item parameters (a(θ − b), D = 1), abilities, linking, fit.", no_args_is_help=True)
app.command("calibrate")(commands.calibrate)
app.command("score")(commands.score)
app.command("link")(commands.link)
app.command("dif")(commands.dif)
app.command("fit")(commands.fit)
app.command("simulate-cat")(commands.simulate_cat)
