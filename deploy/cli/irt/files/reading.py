"""Read a file of responses, whichever shape it has."""

from collections.abc import Sequence
from pathlib import Path

from deploy.cli.irt.files.answers import ResponseFile
from deploy.cli.irt.files.long import read_long
from deploy.cli.irt.files.tables import Progress, open_table
from deploy.cli.irt.files.wide import read_wide
from deploy.cli.refusal import Refused


def read_responses(
    path: Path,
    *,
    id: str | None = None,
    groups: str | None = None,
    ignore: Sequence[str] = (),
    progress: Progress = lambda done, total: None,
    unseen: bool = False,
) -> ResponseFile:
    """The answers in a file; long when its header has the student (or `id`), `item` and `score`, else wide.

    With `unseen` there may be items that nobody was presented.

    Raises: Refused, naming line and column.
    """
    table = open_table(path)
    for option, name in (("--id", id), ("--groups", groups), *(("--ignore", one) for one in ignore)):
        if name is not None and name not in table.columns:
            raise Refused(f"{path} has no column {name!r} ({option}); its columns are {_listed(table.columns)}.")
    if {id or "student", "item", "score"} <= set(table.columns):
        found = read_long(table, id or "student", groups, ignore, progress)
    else:
        found = read_wide(table, id, groups, ignore, progress)
    for item, categories in zip(found.items, found.categories, strict=True):
        if not categories and not unseen:
            raise Refused(f"{path}: nobody was presented item {item!r}.")
    return found


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:12])
    return shown if len(names) <= 12 else f"{shown} and {len(names) - 12} more"
