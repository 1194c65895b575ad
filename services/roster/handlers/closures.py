"""A file of closures: a line for a school, or a class of it, and the days on which it does not meet as usual."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from uuid import UUID, uuid5

from services.roster.domain import closures as domain
from services.roster.domain.sheet import Wrong
from services.roster.handlers import taking
from services.roster.handlers.taking import OPTIONS
from services.roster.store import closures as store
from services.roster.store.closures import Changed, Unfit
from shared.db import Transaction
from shared.events_pb.trellis.events.roster.v1 import roster_pb2 as pb
from shared.imports import Job, Verdict

FILE = "closures.csv"
_EPOCH = date(1970, 1, 1)
_REMEDIES = {
    "unknown-school": "There is no school with this sourcedId; correct it, or import the roster first.",
    "not-a-school": "This organisation is not a school; name the school itself.",
    "unknown-class": "There is no class with this sourcedId; correct it, or import the roster first.",
    "class-of-another-school": "This class belongs to another school; name the school it belongs to.",
}


class ClosuresImport:
    """Closures from a file; what it does not name stays as it is."""

    kind = "closures"
    options: Mapping[str, Sequence[str]] = OPTIONS

    async def take(self, job: Job, tx: Transaction) -> Verdict:
        """Read it all, refuse what does not fit, keep and announce what is not known yet."""
        found = await taking.compared(job, tx, FILE, domain.read, store, _wrong)
        if found is None:
            return Verdict.REFUSED
        if found is Verdict.APPLIED:
            job.merging()
            await store.merge(tx)
            async for some in store.changed(tx):
                tx.announce(pb.ClosuresChanged, facts(job.id, some))
                await tx.flush_announced()
        return found


def facts(import_id: UUID, changed: Iterable[Changed]) -> Iterator[pb.Closure]:
    """What is said of each closure now; a fact's id follows from its import and its closure."""
    for one in changed:
        said = one.closed
        yield pb.Closure(
            **{"class": said.class_.bytes if said.class_ else b""},
            id=uuid5(import_id, str(said.id)).bytes,
            school=said.school.bytes,
            begin_day=(said.begin - _EPOCH).days,
            end_day=None if said.end is None else (said.end - _EPOCH).days,
            modality=said.modality or "",
            withdrawn=one.withdrawn,
            closure=said.id.bytes,
        )


def _wrong(one: Unfit) -> Wrong:
    if one.rule == "said-twice":
        remedy = f"Line {one.earlier} is about the same school, class and begin; leave one of them out."
        return Wrong(one.line, "begin", None, one.rule, remedy)
    is_of_class = one.rule in ("unknown-class", "class-of-another-school")
    return Wrong(
        one.line, "class" if is_of_class else "school", one.class_ if is_of_class else one.school, one.rule,
        _REMEDIES[one.rule],
    )  # fmt: skip
