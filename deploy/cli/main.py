"""The `trellis` command."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from deploy.cli import districts, irt, keys, platform, processes, roster, show, trace
from deploy.cli.access import key_of, url_of
from deploy.cli.demo import AnswersFormat, write_demo
from deploy.cli.door import DoorError, Report, opened
from deploy.cli.load import Kind, Load, load
from deploy.cli.match.commands import match
from deploy.cli.options import Home, Json, Key, Url, wait_for
from deploy.cli.outcome import as_json, exit_code, print_report
from deploy.cli.refusal import Refused
from shared.errors import TrellisError

DONE, WENT_WRONG, REFUSED, INTERRUPTED = 0, 1, 2, 130

app = typer.Typer(
    name="trellis",
    help="Trellis finds out where every learner stands.",
    epilog="Exit codes: 0 done, 2 what was given is refused, 3 held for approval, 1 anything else.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("run")(platform.run)
app.command("up")(processes.up)
app.command("down")(processes.down)
app.command("service")(processes.service)
app.command("provision")(processes.provision)
app.add_typer(keys.app, name="keys")
app.add_typer(districts.app, name="districts")
app.add_typer(roster.app, name="roster")
app.add_typer(irt.app, name="irt")
app.add_typer(trace.app, name="trace")
app.command("match")(match)


@app.command("load")
def load_file(
    kind: Annotated[Kind, typer.Argument(help="What the file is.", show_default=False)],
    file: Annotated[
        Path,
        typer.Argument(help="The file; of a roster also a folder.", exists=True, readable=True, show_default=False),
    ],
    home: Home,
    keep_good: Annotated[
        bool, typer.Option("--keep-good", help="Apply the valid rows of a file that has problems, and report the rest.")
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Repair nothing: refuse what breaks the standard, with its rule.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would change, and what is wrong; change nothing.")
    ] = False,
    date_order: Annotated[
        str | None, typer.Option(help="How dates such as 1/05/2023 are read.", metavar="day-first|month-first")
    ] = None,
    encoding: Annotated[
        str | None,
        typer.Option(help="What the files are written in, where it is not UTF-8.", metavar="latin-1|windows-1252"),
    ] = None,
    url: Url = None,
    key: Key = None,
    json: Json = False,
) -> None:
    """Load a file, and wait until everything that follows from it can be read.

    Exit codes: 0 accepted, 2 refused, 3 held for approval, 1 anything else; of a dry run, what would come of it.
    """
    if file.is_dir() and kind is not Kind.ROSTER:
        raise Refused(f"{file}: only a roster is loaded from a folder.")
    given = {
        "strict": "true" if strict else None, "dry_run": "true" if dry_run else None, "date_order": date_order,
        "encoding": encoding,
    }  # fmt: skip
    what = Load(kind, file, keep_good, options={name: value for name, value in given.items() if value is not None})

    async def work() -> Report:
        async with opened(url_of(url, home), key_of(key, home)) as door:
            with show.progress() as bar:
                return await load(door, what, bar.show)

    report = wait_for(work())
    if json:
        show.as_json(as_json(report))
    else:
        print_report(what.file.name, report)
    if code := exit_code(report):
        raise typer.Exit(code)


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="The folder for the files; made when it is not there.", show_default=False)],
    students: Annotated[int, typer.Option(min=1, help="How many students.")] = 2_000,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same bytes.")] = 1,
    answers_format: Annotated[AnswersFormat, typer.Option(help="How the answer sheets are written.")] = (
        AnswersFormat.CSV
    ),
    json: Json = False,
) -> None:
    """Write the files of a district that does not exist, of a school or of a city, programme and willingness too."""
    with show.progress(counted=True) as bar:
        files = write_demo(
            out, students, seed, lambda done, total: bar.show("students", done, total), answers_format=answers_format
        )
    named = {kind.value: str(getattr(files, kind.value)) for kind in Kind}
    if json:
        show.as_json(named)
    else:
        show.table(
            ["kind", "file", "bytes"],
            [[kind, file, f"{Path(file).stat().st_size:,}"] for kind, file in named.items()],
        )


def main() -> None:
    """Run the command line; errors become one sentence and an exit code."""
    sys.exit(_exit_code())


def _exit_code() -> int:
    try:
        return int(app(standalone_mode=False) or DONE)
    except typer.TyperException as wrong:
        show.message(wrong.format_message())
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except Exception as wrong:
        said = list(_said(wrong))
        if not said:
            raise
        for sentence in said:
            show.message(sentence)
        if isinstance(wrong, Refused) or (isinstance(wrong, DoorError) and wrong.is_refusal):
            return REFUSED
    return WENT_WRONG


def _said(wrong: Exception) -> Iterator[str]:
    """What went wrong in sentences; none when only a traceback tells it."""
    match wrong:
        case ExceptionGroup():
            for one in wrong.exceptions:
                yield from _said(one)
        case ValidationError():
            for each in wrong.errors(include_url=False, include_input=False):
                yield f"setting {'.'.join(map(str, each['loc']))}: {each['msg']} (docs/settings.md lists them all)"
        case OSError(filename=str(file), strerror=str(what)):
            yield f"{file}: {what.lower()}"
        case OSError() | TrellisError():
            yield str(wrong)
        case _ if type(wrong) is LookupError or type(wrong).__module__.startswith("deploy."):
            yield str(wrong)
