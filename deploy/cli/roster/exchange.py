"""Rosters from other OneRoster systems, and files for them."""

import shutil
import zipfile
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from deploy.cli import show
from deploy.cli.access import key_of, url_of
from deploy.cli.door import DoorError, Report, opened
from deploy.cli.load import Kind, Load, load
from deploy.cli.options import Home, Json, Key, Url, wait_for
from deploy.cli.outcome import as_json, exit_code, print_report
from deploy.cli.roster import memory
from deploy.cli.roster.config import ProviderConfig, read_config
from deploy.cli.roster.fetching import fetched
from deploy.cli.roster.pull import Pull, Pulled
from deploy.cli.roster.pull import pull as pull_and_load
from shared import spool

MEMORY_SUFFIX = ".pulls"


def pull(
    provider: Annotated[
        Path,
        typer.Argument(
            help="PROVIDER.toml: the provider's address, and as whom to ask it.",
            exists=True,
            dir_okay=False,
            readable=True,
            show_default=False,
        ),
    ],
    home: Home,
    full: Annotated[
        bool, typer.Option("--full", help="Everything, even where it would be enough to ask for changes.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would change, and what is wrong; change nothing.")
    ] = False,
    keep: Annotated[
        Path | None, typer.Option("--keep", help="Keep the archive here, too.", metavar="FILE", show_default=False)
    ] = None,
    url: Url = None,
    key: Key = None,
    json: Json = False,
) -> None:
    """Pull the roster of another OneRoster system, and load it as any roster is loaded.

    The first pull is a full one, the next ones ask for what changed. Exit codes: 0 accepted, 2 refused, 3 held for
    approval, 1 anything else; of a dry run, what would come of it.
    """
    config = read_config(provider)
    platform, bearer = url_of(url, home), key_of(key, home)

    async def work(folder: Path, known: memory.Memory) -> tuple[Pulled, Report | None]:
        with show.progress() as bar:

            async def loaded(archive: Path) -> Report:
                if keep is not None:
                    shutil.copyfile(archive, keep)
                options = {"dry_run": "true"} if dry_run else {}
                async with opened(platform, bearer) as door:
                    return await load(door, Load(Kind.ROSTER, archive, options=options), bar.show)

            how = Pull(config, known, folder, bar.show)
            return await pull_and_load(how, loaded, full=full, dry_run=dry_run)

    with (
        memory.opened(provider.with_suffix(MEMORY_SUFFIX), _whom(config, platform, bearer)) as known,
        spool.folder("trellis-pull-") as folder,
    ):
        pulled, report = wait_for(work(folder, known))
    if json:
        show.as_json({"pull": pulled.as_json(), **_said(report)})
    else:
        _print(pulled, provider.stem, report)
    if report is not None and (code := exit_code(report)):
        raise typer.Exit(code)


def export(
    out: Annotated[Path, typer.Argument(help="The archive to write.", dir_okay=False, show_default=False)],
    home: Home,
    since: Annotated[
        str | None,
        typer.Option(
            "--since",
            help="Only what changed since: a revision, as the last export said it, or a time with its zone.",
            metavar="REVISION|TIME",
            show_default=False,
        ),
    ] = None,
    version: Annotated[
        Literal["1.1", "1.2"], typer.Option("--version", help="The version of OneRoster to write.")
    ] = "1.2",
    url: Url = None,
    key: Key = None,
    json: Json = False,
) -> None:
    """Write the district's roster as a OneRoster archive: all of it, or what changed.

    Files that the key has no scope for are absent: demographics needs demographics:read, the gradebook assessment:read.
    """
    params = {"version": version, **({"since": since} if since is not None else {})}
    platform, bearer = url_of(url, home), key_of(key, home)
    headers, files = fetched(platform, bearer, "/v1/exports/roster", params, out, _checked)
    revision = headers["x-trellis-revision"]
    size = out.stat().st_size
    if json:
        show.as_json({"file": str(out), "bytes": size, "revision": int(revision), "files": files})
        return
    show.table(["file", "comes as"], [[name, said] for name, said in files.items() if said != "absent"])
    show.message(f"{out}: {size:,} bytes. What changes from here on: --since {revision}")


def _checked(archive: Path) -> dict[str, str]:
    """How each file comes, by the manifest; the archive is complete, and every checksum in it right."""
    try:
        with zipfile.ZipFile(archive) as opened_archive:
            if (broken := opened_archive.testzip()) is not None:
                raise zipfile.BadZipFile(f"{broken} is damaged")
            lines = opened_archive.read("manifest.csv").decode().splitlines()
    except zipfile.BadZipFile as wrong:
        raise DoorError(f"the archive did not arrive whole: {wrong}") from wrong
    said = dict(line.split(",", 1) for line in lines)
    return {name.removeprefix("file."): mode for name, mode in said.items() if name.startswith("file.")}


def _whom(config: ProviderConfig, platform: str, bearer: str) -> str:
    """What must be the same for a pull to build on the one before: provider, client, and the district it is for."""
    return " ".join((config.url, config.version, config.client_id, platform, _key_id(bearer)))


def _key_id(bearer: str) -> str:
    """The public part of a key, `trl_live_<id>_<secret>`."""
    return "_".join(bearer.split("_")[:3])


def _said(report: Report | None) -> dict[str, Any]:
    """The platform's report; where nothing had changed at the provider there was nothing to load, and nothing wrong."""
    return (
        as_json(report) if report is not None else {"verdict": "accepted", "problems": [], "repairs": [], "holds": []}
    )


def _print(pulled: Pulled, name: str, report: Report | None) -> None:
    """What was read, what was not granted, and what the platform says of it."""
    rows = [[one["name"], f"{one['objects']:,}", one["pages"], "read"] for one in pulled.collections]
    rows += [[absent, None, None, why] for absent, why in pulled.absent.items()]
    since = f", changes since {pulled.asked_since:%Y-%m-%d %H:%M:%S} UTC" if pulled.asked_since else ", everything"
    show.table(["collection", "objects", "pages", ""], rows, title=f"{name}{since}")
    for note in pulled.notes:
        show.message(note)
    if report is None:
        show.message("Nothing has changed there.")
    else:
        print_report(name, report)
