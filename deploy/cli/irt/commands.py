"""The commands' names and options. What computes is imported when a command runs, so that `--help` is at once."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from deploy.cli import show
from deploy.cli.irt.options import File, Groups, Id, Ignore, Items, Kernel, KernelName, Out, Report
from deploy.cli.options import Json
from deploy.cli.refusal import Refused

if TYPE_CHECKING:
    from deploy.cli.irt.files import ResponseFile

MANY_SCORES = 20
LINKING = ("mean-mean", "mean-sigma", "haebara", "stocking-lord")


def _read(
    file: Path, id: str | None, groups: str | None, ignore: list[str] | None, *, unseen: bool = False
) -> "ResponseFile":
    """The responses, with progress on stderr; with `unseen` there may be items that nobody was presented."""
    from deploy.cli.irt.files import read_responses

    with show.progress() as bar:
        found = read_responses(
            file, id=id, groups=groups, ignore=ignore or (), unseen=unseen,
            progress=lambda done, total: bar.show("read", done, total),
        )  # fmt: skip
    for name, categories in zip(found.items, found.categories, strict=True):
        if len(categories) > MANY_SCORES:
            show.message(
                f"Column {name!r} has {len(categories)} distinct scores; if it is no item, name it by --id, --groups "
                "or --ignore."
            )
    return found


def calibrate(
    file: File,
    model: Annotated[
        str | None, typer.Option(help="rasch, 1pl, 2pl, 3pl, grm, pcm or gpcm; of the items that --models leaves out.")
    ] = None,
    models: Annotated[
        Path | None,
        typer.Option(help="Models by item: CSV item,model or JSON.", exists=True, dir_okay=False, show_default=False),
    ] = None,
    prior: Annotated[
        list[str] | None,
        typer.Option(help="a:lognormal(0,0.5), a:normal(1,0.5), b:normal(0,2) or c:beta(5,17); repeat it."),
    ] = None,
    groups: Groups = None,
    anchors: Annotated[
        Path | None,
        typer.Option(
            metavar="PARAMETERS.json",
            help="Items that stay as they are.",
            exists=True,
            dir_okay=False,
            show_default=False,
        ),
    ] = None,
    id: Id = None,
    ignore: Ignore = None,
    nodes: Annotated[int, typer.Option(min=11, help="Quadrature nodes; more where posteriors are narrow.")] = 61,
    acceleration: Annotated[str, typer.Option(help="newton, squarem or none.")] = "newton",
    tolerance: Annotated[float, typer.Option(help="How near the maximum is near enough; also SE/100.")] = 0.001,
    iterations: Annotated[int, typer.Option(min=1, help="The most passes over the students.")] = 1000,
    errors: Annotated[bool, typer.Option("--errors/--no-errors", help="Compute standard errors.")] = True,
    covariance: Annotated[
        bool, typer.Option("--covariance/--no-covariance", help="Write the covariances of all free parameters.")
    ] = True,
    kernel: Kernel = KernelName.COMPILED,
    json: Json = False,
    out: Out = None,
    report: Report = None,
) -> None:
    """Estimate item parameters by marginal maximum likelihood, with standard errors."""
    known = ("rasch", "1pl", "2pl", "3pl", "grm", "pcm", "gpcm")
    if model is None and models is None:
        raise typer.BadParameter(f"name a model: {', '.join(known)}", param_hint="--model")
    if model is not None:
        _check("--model", model.lower(), known)
    _check("--acceleration", acceleration, ("newton", "squarem", "none"))
    if not tolerance > 0:
        raise typer.BadParameter(f"{tolerance} is not above 0", param_hint="--tolerance")
    from deploy.cli.irt import calibrate as command
    from deploy.cli.irt.parameters import read_parameters

    fixed = read_parameters(anchors) if anchors is not None else None
    found = _read(file, id, groups, ignore)
    speed: Literal["newton", "squarem", "none"] = (
        "none" if acceleration == "none" else "squarem" if acceleration == "squarem" else "newton"
    )
    how = command.How(kernel.value, nodes, speed, tolerance, iterations, errors, covariance)
    command.run(
        found, command.models_of(found, model, models), fixed, prior or [], how, json=json, out=out, report=report
    )


def score(
    file: File,
    items: Items,
    method: Annotated[str, typer.Option(help="eap, map, wle or ml.")] = "eap",
    bounds: Annotated[
        tuple[float, float] | None,
        typer.Option(help="ML: nobody lies outside; all right or all wrong is at a bound.", metavar="LOW HIGH"),
    ] = None,
    person_fit: Annotated[bool, typer.Option("--person-fit", help="Add lz, infit and outfit of each student.")] = False,
    scale: Annotated[
        str | None,
        typer.Option(help="Add scaled scores.", metavar="NAME,SLOPE,INTERCEPT,LOWEST,HIGHEST[,ROUNDING]"),
    ] = None,
    raw_scores: Annotated[
        bool, typer.Option("--raw-scores", help="Add the table of raw scores (EAPsum) of the file's items.")
    ] = False,
    id: Id = None,
    groups: Groups = None,
    ignore: Ignore = None,
    kernel: Kernel = KernelName.COMPILED,
    json: Json = False,
    out: Out = None,
    report: Report = None,
) -> None:
    """Estimate each student's ability with its standard error."""
    _check("--method", method.lower(), ("eap", "map", "wle", "ml"))
    if bounds is not None and (method.lower() != "ml" or not bounds[0] < bounds[1]):
        raise typer.BadParameter("two rising numbers, of --method ml only", param_hint="--bounds")
    from deploy.cli.irt import score as command
    from deploy.cli.irt.parameters import read_parameters
    from services.assessment.domain.irt.ability import Method

    known = read_parameters(items)
    command.run(
        _read(file, id, groups, ignore, unseen=True), known, Method(method.lower()), kernel.value, bounds=bounds,
        persons=person_fit, scale=None if scale is None else command.read_scale(scale), raw=raw_scores,
        json=json, out=out, report=report,
    )  # fmt: skip


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
    more: Annotated[
        bool, typer.Option("--more", help="Classical statistics, Q3 and, where there are times, rapid guesses too.")
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
    command.run(_read(file, id, groups, ignore), known, elsewhere, more, json=json, out=out, report=report)


def simulate_cat(
    bank: Annotated[
        Path | None,
        typer.Argument(metavar="PARAMETERS.json", help="The bank.", exists=True, dir_okay=False, show_default=False),
    ] = None,
    items: Annotated[
        Path | None,
        typer.Option(help="The bank, when not given as the argument.", exists=True, dir_okay=False, show_default=False),
    ] = None,
    n: Annotated[int, typer.Option("--n", min=1, help="How many students.")] = 1_000,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same tests.")] = 1,
    se: Annotated[float | None, typer.Option(help="Stop at this standard error; 0 for no such stop.")] = 0.30,
    min_items: Annotated[int, typer.Option(min=1, help="The fewest items of a test.")] = 1,
    max_items: Annotated[int, typer.Option(min=1, help="The most items of a test.")] = 60,
    exposure: Annotated[float | None, typer.Option(help="The largest part of students that may see an item.")] = None,
    content: Annotated[
        Path | None,
        typer.Option(help="Items' areas: CSV item,content or JSON.", exists=True, dir_okay=False, show_default=False),
    ] = None,
    share: Annotated[
        list[str] | None,
        typer.Option(help="An area's share of a test; repeat it. Else as in the bank.", metavar="AREA=NUMBER"),
    ] = None,
    cut: Annotated[list[float] | None, typer.Option(help="Stop when classified at this cut; repeat it.")] = None,
    decide: Annotated[str, typer.Option(help="Classified by interval or sprt.")] = "interval",
    confidence: Annotated[float, typer.Option(help="How sure a classification is.")] = 0.95,
    mean: Annotated[float | None, typer.Option(help="Mean of true abilities; else the bank's latent mean.")] = None,
    sd: Annotated[float | None, typer.Option(help="Their standard deviation; else the bank's latent sd.")] = None,
    examinees: Annotated[bool, typer.Option("--examinees", help="Every student's test in the JSON.")] = False,
    kernel: Kernel = KernelName.COMPILED,
    json: Json = False,
    out: Out = None,
    report: Report = None,
) -> None:
    """Simulate adaptive tests from a bank of items."""
    from deploy.cli.irt import simulate as command
    from deploy.cli.irt.itemmap import read_item_map
    from deploy.cli.irt.parameters import read_parameters

    if (file := bank or items) is None or (bank and items):
        raise typer.BadParameter("name one bank of items", param_hint="PARAMETERS.json")
    if sd is not None and not sd > 0:
        raise typer.BadParameter(f"{sd} is not above 0", param_hint="--sd")
    decided: Literal["interval", "sprt"] = "sprt" if decide == "sprt" else "interval"
    _check("--decide", decide, ("interval", "sprt"))
    known = read_parameters(file)
    areas = None
    if content is not None:
        found = read_item_map(content, "content", known.names)
        if missing := [name for name in known.names if name not in found]:
            raise Refused(f"{content}: item {missing[0]!r} has no content.")
        areas = tuple(found[name] for name in known.names)
    asked = command.rules(
        se=se or None, shortest=min_items, longest=max_items, content=areas, shares=_shares(share), exposure=exposure,
        cuts=tuple(cut or ()), decide=decided, confidence=confidence, prior=(known.mean, known.sd),
    )  # fmt: skip
    population = (known.mean if mean is None else mean, known.sd if sd is None else sd)
    command.run(known, asked, n, seed, population, kernel.value, examinees=examinees, json=json, out=out, report=report)


def _shares(said: list[str] | None) -> dict[str, float] | None:
    """AREA=NUMBER as a mapping."""
    made = {}
    for one in said or ():
        area, _, number = one.rpartition("=")
        try:
            made[area] = float(number)
        except ValueError:
            raise typer.BadParameter(f"{one!r} is no AREA=NUMBER", param_hint="--share") from None
    return made or None


def _check(option: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise typer.BadParameter(f"{value!r} is none of {', '.join(allowed)}", param_hint=option)
