"""How things are named in the graph: opaque node ids, `sourcedId:…`, and cursors."""

import base64
import binascii
from typing import Literal, get_args
from uuid import UUID

import strawberry

from shared.errors import Invalid, NotFound

Kind = Literal["Class", "Student", "School", "Competency", "Administration", "Programme", "PartnershipProposal"]
KINDS: tuple[Kind, ...] = get_args(Kind)
Key = UUID | str
"""Our own id, or the identifier of the district's source."""

_SOURCED = "sourcedId:"


class NotAnId(Invalid):
    """An id is a node id of this graph, or sourcedId: followed by the identifier of the district's source."""


class NotACursor(Invalid):
    """A cursor is what an earlier page of this same connection gave."""


class NoSuchNode(NotFound):
    """There is nothing with this id."""


def node_id(kind: Kind, id_: UUID) -> strawberry.ID:
    """The node id of one of our rows."""
    return strawberry.ID(_packed(f"{kind}:{id_}"))


def read_node_id(given: str) -> tuple[Kind, UUID]:
    """What a node id names; NotAnId when it is none."""
    name, _, rest = _unpacked(given, NotAnId).partition(":")
    for kind in KINDS:
        if name == kind:
            return kind, _uuid(rest, NotAnId)
    raise NotAnId


def read_id(kind: Kind, given: str) -> Key:
    """The key an argument names, for a look-up of this kind; another kind's id names nothing here."""
    if given.startswith(_SOURCED) and len(given) > len(_SOURCED):
        if "\0" in given:  # which no database keeps, and none is asked for
            raise NoSuchNode
        return given.removeprefix(_SOURCED)
    found, id_ = read_node_id(given)
    if found != kind:
        raise NoSuchNode
    return id_


def cursor_of(id_: UUID) -> str:
    """The cursor of a row in a connection that pages by id."""
    return _packed(f"row:{id_}")


def row_after(cursor: str | None) -> UUID | None:
    """Where a connection that pages by id goes on."""
    if cursor is None:
        return None
    name, _, rest = _unpacked(cursor, NotACursor).partition(":")
    if name != "row":
        raise NotACursor
    return _uuid(rest, NotACursor)


def cursor_at(seen: int) -> str:
    """The cursor of the entry after which `seen` entries have been seen."""
    return _packed(f"seen:{seen}")


def seen_before(cursor: str | None) -> int:
    """How many entries have been seen where a connection that pages by position goes on."""
    if cursor is None:
        return 0
    name, _, rest = _unpacked(cursor, NotACursor).partition(":")
    if name != "seen" or not rest.isascii() or not rest.isdigit() or len(rest) > 9:
        raise NotACursor
    return int(rest)


def _packed(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _unpacked(given: str, wrong: type[Invalid]) -> str:
    try:
        return base64.b64decode(given + "=" * (-len(given) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError) as not_ours:
        raise wrong from not_ours


def _uuid(text: str, wrong: type[Invalid]) -> UUID:
    try:
        return UUID(text)
    except ValueError as not_ours:
        raise wrong from not_ours
