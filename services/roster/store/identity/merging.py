"""Two people who are one, one who is two: their records change hands, and the event keeps what was."""

# ruff: noqa: S608  # the names put into SQL are constants of ours

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import UUID

from services.roster.domain import identity as law
from services.roster.store import SOURCE, placing
from services.roster.store.identity import journal
from services.roster.store.identity.journal import OF_A_PERSON, RECORDS
from shared.db import Transaction

Face = Literal["person", "absorbed"]
_DAYS = ("attendance", "attendance_history")
_BOTH = {
    "people": "id = ANY ($1) OR agent_ids && $1::uuid[]",
    "crosswalk": "row_id = ANY ($1)",
    "mergers": "person_id = ANY ($1) OR absorbed_id = ANY ($1)",
    "standings": "sourced_id = ANY (SELECT 'mastery-' || one FROM unnest($1::uuid[]) AS one)",
    **dict.fromkeys(("demographics", *OF_A_PERSON, *_DAYS), "person_id = ANY ($1)"),
}
"""What belongs to two people or refers to them, before a change as well as after it."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody a decision is about; `image` is the whole row."""

    id: UUID
    sourced_id: str
    status: str
    absorbed_by: UUID | None
    image: dict[str, Any]


async def find(tx: Transaction, key: str) -> Person | None:
    """The person of this id, or else of this sourcedId as it is understood today; held until the end."""
    row = await tx.fetchrow(
        f"""
        SELECT p.id, p.sourced_id, p.status, to_jsonb(p)::text AS image,
               (SELECT m.person_id FROM mergers m WHERE m.absorbed_id = p.id) AS absorbed_by
        FROM people p
        WHERE p.id = COALESCE(
            (SELECT k.id FROM people k WHERE k.id = $2),
            (SELECT c.row_id FROM crosswalk c
             WHERE c.source = '{SOURCE}' AND c.type = 'user' AND c.sourced_id = $1 AND c.end_on IS NULL))
        FOR UPDATE OF p
        """,
        key, _as_id(key),
    )  # fmt: skip
    if row is None:
        return None
    return Person(row["id"], row["sourced_id"], row["status"], row["absorbed_by"], json.loads(row["image"]))


def _as_id(key: str) -> UUID | None:
    """The id that this is in the form in which ids are shown, if it is one."""
    try:
        found = UUID(key)
    except ValueError:
        return None
    return found if str(found) == key.lower() else None


async def merge(tx: Transaction, event: UUID, person: Person, absorbed: Person, face: Face, revision: int) -> None:
    """From here on `absorbed` is `person`: everything of theirs belongs to the person, their names lead there."""
    today = await tx.fetchval("SELECT current_date::text")
    kept, ended = law.as_one(person.image, absorbed.image, face=face, today=today, revision=revision)
    ids = [person.id, absorbed.id]
    async with journal.watching(tx, event, _BOTH, ids):
        await _hand_over(tx, absorbed.id, person.id, revision)
        await tx.run("DELETE FROM people WHERE id = ANY ($1)", ids)
        for image in (kept, ended):
            await journal.put(tx, "people", json.dumps(image))
        await _merge_demographics(tx, person.id, absorbed.id, kept["sourced_id"], ended["sourced_id"], face, revision)
        await _speak_for(tx, absorbed.id, person.id, revision)
        await tx.run(
            """
            UPDATE crosswalk c SET row_id = $1, absorbed_id = COALESCE(c.absorbed_id, $2) WHERE c.row_id = $2
              AND NOT EXISTS (SELECT FROM crosswalk k WHERE k.row_id = $1 AND k.source = c.source
                              AND k.sourced_id = c.sourced_id AND k.begin_on = c.begin_on)
            """,
            person.id, absorbed.id,
        )  # fmt: skip
        await tx.run("DELETE FROM crosswalk WHERE row_id = $1", absorbed.id)
        await tx.run("UPDATE mergers SET person_id = $1 WHERE person_id = $2", person.id, absorbed.id)
        await tx.run(
            "INSERT INTO mergers (district_id, absorbed_id, person_id, event_id) VALUES ($1, $2, $3, $4)",
            tx.caller.district, absorbed.id, person.id, event,
        )  # fmt: skip
        await _place(tx, ids)


async def _hand_over(tx: Transaction, giver: UUID, taker: UUID, revision: int) -> None:
    for place in OF_A_PERSON:
        stamped = f", revision = {int(revision)}" if place in RECORDS else ""
        await tx.run(f"UPDATE {place} SET person_id = $1{stamped} WHERE person_id = $2", taker, giver)
    # Mastery traces the person anew and tells it: what was believed of the other is believed of nobody.
    await tx.run(
        """
        UPDATE standings SET status = 'tobedeleted', ended_on = current_date, revision = $2, until = $2
        WHERE sourced_id = 'mastery-' || $1::uuid AND status = 'active'
        """,
        giver, revision,
    )  # fmt: skip
    for place, moment in (("attendance", None), ("attendance_history", "replaced_at")):
        same = "".join(f" AND k.{column} = t.{column}" for column in ("day", "school_id", moment) if column)
        await tx.run(
            f"""
            UPDATE {place} t SET person_id = $1 WHERE t.person_id = $2
              AND NOT EXISTS (SELECT FROM {place} k WHERE k.person_id = $1{same})
            """,
            taker, giver,
        )  # fmt: skip
        await tx.run(f"DELETE FROM {place} WHERE person_id = $1", giver)  # the day is told by the one who is kept


async def _merge_demographics(
    tx: Transaction, person: UUID, absorbed: UUID, kept: str, ended: str, face: Face, revision: int
) -> None:
    """The shown record's demographics stay; the other's count where it has none."""
    rows = await tx.fetch(
        "DELETE FROM demographics WHERE person_id = ANY ($1) RETURNING to_jsonb(demographics)::text AS image",
        [person, absorbed],
    )
    held = {image["person_id"]: image for image in (json.loads(row["image"]) for row in rows)}
    order = (person, absorbed) if face == "person" else (absorbed, person)
    living = [held[str(one)] for one in order if str(one) in held and held[str(one)]["status"] == "active"]
    theirs, ours = held.get(str(absorbed)), held.get(str(person))
    if living:
        same = {**living[0], "person_id": str(person), "sourced_id": kept, "revision": revision}
        await journal.put(tx, "demographics", json.dumps(same))
    elif ours is not None:
        await journal.put(tx, "demographics", json.dumps({**ours, "sourced_id": kept}))
    if theirs is not None:
        gone = {**theirs, "sourced_id": ended, "revision": revision}
        if theirs["status"] == "active":
            gone |= {"status": "tobedeleted", "until": revision, "ended_on": datetime.now(UTC).date().isoformat()}
        await journal.put(tx, "demographics", json.dumps(gone))


async def _speak_for(tx: Transaction, giver: UUID, taker: UUID, revision: int) -> None:
    """Whoever had the one as an agent has the other."""
    await tx.run(
        """
        UPDATE people SET revision = $3, agent_ids = ARRAY(
            SELECT agent FROM unnest(array_replace(agent_ids, $1, $2)) WITH ORDINALITY AS a (agent, n)
            GROUP BY agent ORDER BY min(n))
        WHERE agent_ids && ARRAY[$1::uuid]
        """,
        giver, taker, revision,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Other:
    """Who goes their own way after a split, and their row; `leaves`: what who stays is called then, if otherwise."""

    id: UUID
    image: dict[str, Any]
    leaves: str | None = None


async def absorbed(tx: Transaction, person: UUID, names: Sequence[str]) -> Person | None:
    """Who of those that this person absorbed was called by one of these names."""
    found = await tx.fetchval(
        f"""
        SELECT c.absorbed_id FROM crosswalk c JOIN mergers m ON m.absorbed_id = c.absorbed_id AND m.person_id = c.row_id
        WHERE c.row_id = $1 AND c.source = '{SOURCE}' AND c.sourced_id = ANY ($2) ORDER BY c.end_on IS NULL DESC LIMIT 1
        """,
        person, names,
    )  # fmt: skip
    return None if found is None else await find(tx, str(found))


async def names_of(tx: Transaction, person: UUID) -> list[str]:
    """The sourcedIds that mean this person today."""
    rows = await tx.fetch(
        f"SELECT sourced_id FROM crosswalk WHERE row_id = $1 AND source = '{SOURCE}' AND end_on IS NULL", person
    )
    return [row["sourced_id"] for row in rows]


async def former_name(tx: Transaction, person: UUID) -> str | None:
    """What this person was called last, if nobody else is called so today."""
    found: str | None = await tx.fetchval(
        f"""
        SELECT c.sourced_id FROM crosswalk c
        WHERE c.row_id = $1 AND c.source = '{SOURCE}' AND c.type = 'user' AND c.end_on IS NOT NULL
          AND NOT EXISTS (SELECT FROM crosswalk k WHERE k.source = c.source AND k.type = c.type
                          AND k.sourced_id = c.sourced_id AND k.end_on IS NULL)
          AND NOT EXISTS (SELECT FROM people p WHERE p.sourced_id = c.sourced_id)
        ORDER BY c.end_on DESC, c.begin_on DESC LIMIT 1
        """,
        person,
    )
    return found


async def _call_again(tx: Transaction, person: UUID, name: str) -> None:
    """The person has a former name again."""
    for place, key in (("people", "id"), ("demographics", "person_id")):
        await tx.run(f"UPDATE {place} SET sourced_id = $2 WHERE {key} = $1", person, name)
    await tx.run(
        f"""
        UPDATE crosswalk SET end_on = NULL
        WHERE row_id = $1 AND source = '{SOURCE}' AND type = 'user' AND sourced_id = $2
          AND begin_on = (SELECT max(begin_on) FROM crosswalk
                          WHERE row_id = $1 AND source = '{SOURCE}' AND type = 'user' AND sourced_id = $2)
        """,
        person, name,
    )  # fmt: skip


async def split(tx: Transaction, event: UUID, person: Person, other: Other, names: Sequence[str], revision: int) -> int:
    """What bears one of these sourcedIds belongs to `other` from here on; how many records that is."""
    ids = [person.id, other.id]
    moved = 0
    async with journal.watching(tx, event, _BOTH, ids):
        if other.leaves is not None:
            await _call_again(tx, person.id, other.leaves)
        await tx.run("DELETE FROM people WHERE id = $1", other.id)
        await journal.put(tx, "people", json.dumps(other.image))
        await tx.run("UPDATE people SET revision = $2 WHERE id = $1", person.id, revision)
        for place in OF_A_PERSON:
            stamped = f", revision = {int(revision)}" if place in RECORDS else ""
            count = await tx.changed(
                f"UPDATE {place} SET person_id = $2{stamped} WHERE person_id = $1 AND sourced_id = ANY ($3)",
                person.id, other.id, names,
            )  # fmt: skip
            moved += count if place in RECORDS else 0
        await tx.run(
            f"""
            UPDATE crosswalk SET row_id = $2, absorbed_id = NULLIF(absorbed_id, $2)
            WHERE row_id = $1 AND source = '{SOURCE}' AND sourced_id = ANY ($3)
            """,
            person.id, other.id, names,
        )  # fmt: skip
        await tx.run("DELETE FROM mergers WHERE absorbed_id = $1", other.id)
        await tx.run(
            """
            INSERT INTO crosswalk (district_id, source, type, sourced_id, row_id) SELECT $1, $2, 'user', $3, $4
            WHERE NOT EXISTS (SELECT FROM crosswalk WHERE source = $2 AND type = 'user' AND sourced_id = $3
                              AND row_id = $4 AND end_on IS NULL)
            """,
            tx.caller.district, SOURCE, other.image["sourced_id"], other.id,
        )  # fmt: skip
        await tx.run(
            """
            UPDATE demographics SET status = 'active', ended_on = NULL, until = NULL, since = $2, revision = $2
            WHERE person_id = $1 AND status <> 'active'
            """,
            other.id, revision,
        )  # fmt: skip
        await _place(tx, ids)
    return moved


async def undo(tx: Transaction, event: UUID, people: Sequence[UUID], revision: int) -> None:
    """What the event changed is as it was, as far as nobody has changed it since."""
    await journal.take_back(tx, [event], revision)
    await _place(tx, people)


async def _place(tx: Transaction, people: Sequence[UUID]) -> None:
    """Derive where these people are anew; who moved stays in the stage `moved`."""
    await placing.begin(tx)
    await tx.run("INSERT INTO touched SELECT unnest($1::uuid[])", people)
    await placing.place(tx)
