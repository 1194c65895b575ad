"""`trellis roster`: what became of roster files, what a person decides about them, and rosters from and to others."""

import typer

from deploy.cli.roster import bootstrap, exchange, guard, identity, imports

app = typer.Typer(
    help="Rosters: what became of their files, the guard, who is who, and other systems.", no_args_is_help=True
)  # fmt: skip
app.command("imports")(imports.recent)
app.command("report")(imports.report)
app.command("approve")(imports.approve)
app.command("reject")(imports.reject)
app.command("apply")(imports.apply)
app.command("undo")(imports.undo)
app.command("guard")(guard.guard)
app.command("pull")(exchange.pull)
app.command("export")(exchange.export)
app.command("bootstrap")(bootstrap.bootstrap)
app.command("reviews")(identity.reviews)
app.command("same")(identity.same)
app.command("different")(identity.different)
app.command("merge")(identity.merge)
app.command("split")(identity.split)
app.command("undo-identity")(identity.undo_identity)
