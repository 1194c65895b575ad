"""Options that commands about items share."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class KernelName(StrEnum):
    """What computes: compiled is faster, numpy needs no compiled code; they agree to 1e-5."""

    COMPILED = "compiled"
    NUMPY = "numpy"


File = Annotated[
    Path,
    typer.Argument(
        help="Responses, CSV or Parquet: students × items, or a line per answer (student,item,score[,time]).",
        exists=True,
        dir_okay=False,
        readable=True,
        show_default=False,
    ),
]
Items = Annotated[
    Path,
    typer.Option(
        "--items",
        help="The items' parameters: JSON, as calibrate writes it.",
        exists=True,
        dir_okay=False,
        metavar="PARAMETERS.json",
        show_default=False,
    ),
]
Id = Annotated[
    str | None,
    typer.Option("--id", help="The column with identifiers; of a long file, else `student`.", metavar="COLUMN"),
]
Groups = Annotated[str | None, typer.Option("--groups", help="The column with students' groups.", metavar="COLUMN")]
Ignore = Annotated[
    list[str] | None,
    typer.Option("--ignore", help="A column that is neither item, identifier nor group; repeat it.", metavar="COLUMN"),
]
Kernel = Annotated[KernelName, typer.Option("--kernel", help="What computes.")]
Out = Annotated[
    Path | None, typer.Option("--out", help="Write the JSON into this file.", dir_okay=False, metavar="OUT.json")
]
Report = Annotated[
    Path | None,
    typer.Option("--report", help="Write a report with pictures for people.", dir_okay=False, metavar="OUT.html"),
]
