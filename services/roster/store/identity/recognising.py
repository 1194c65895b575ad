"""People of a file under names nobody knows, beside those the file names no more.

Both sides are written down in the form in which they are compared (`domain.identity`), joined by whatever could agree,
and what agrees of each pair is a number; the few numbers there are get their verdict from the domain.
"""

# ruff: noqa: S608  # the names put into SQL are constants of ours

import asyncio
from collections.abc import Iterable, Iterator
from typing import Any
from uuid import UUID

from services.roster.domain import identity as law
from services.roster.domain.identity import Agreement, Outcome
from services.roster.store import SOURCE
from shared.db import Transaction

_AT_ONCE = 20_000
_OFTEN = 20
"""An identifier that so many people carry says nothing of who they are."""
_SIDE = """
    n bigint, id uuid, sourced_id text COLLATE "C", comes boolean, states text[], local text, born date,
    given text, family text, preferred text, words text[]
"""
_COLUMNS = [column.split()[0] for column in _SIDE.split(",")]
_NEW = f"""
    SELECT row_number() OVER () AS n, NULL::uuid AS id, s.sourced_id, true AS comes, s.user_master_identifier,
           string_to_array(s.user_ids, ',') AS user_ids, s.identifier, s.given_name, s.family_name,
           s.preferred_given_name, d.birth_date::date AS birth_on
    FROM s_users s LEFT JOIN s_demographics d ON d.sourced_id = s.sourced_id AND NOT d.refused
    WHERE NOT s.refused AND s.status IS DISTINCT FROM 'tobedeleted' AND NOT EXISTS (
        SELECT FROM crosswalk c WHERE c.source = '{SOURCE}' AND c.type = 'user' AND c.sourced_id = s.sourced_id
            AND c.end_on IS NULL)
"""
_OLD = """
    WITH called AS (
        SELECT p.id FROM people p, unnest(p.user_ids) AS user_id
        JOIN (SELECT DISTINCT unnest(user_ids) AS user_id FROM i_new_raw) AS said USING (user_id)
    )
    SELECT row_number() OVER () AS n, p.id, p.sourced_id, p.comes, p.user_master_identifier, p.user_ids, p.identifier,
           p.given_name, p.family_name, p.preferred_given_name, d.birth_on
    FROM (SELECT p.*, s.sourced_id IS NOT NULL AS comes
          FROM people p LEFT JOIN (SELECT DISTINCT sourced_id FROM s_users) s ON s.sourced_id = p.sourced_id) AS p
    LEFT JOIN demographics d ON d.person_id = p.id
    WHERE NOT EXISTS (SELECT FROM mergers m WHERE m.absorbed_id = p.id) AND (
        p.user_master_identifier IN (SELECT user_master_identifier FROM i_new_raw)
        OR p.identifier IN (SELECT identifier FROM i_new_raw)
        OR NOT p.comes AND d.birth_on IN (SELECT birth_on FROM i_new_raw)
        OR p.id IN (SELECT id FROM called))
"""
_RAW = """
    n bigint, id uuid, sourced_id text COLLATE "C", comes boolean, user_master_identifier text, user_ids text[],
    identifier text, given_name text, family_name text, preferred_given_name text, birth_on date
"""


async def pairs(tx: Transaction) -> bool:
    """Fill i_new, i_old and i_pairs; whether there is anybody to compare."""
    before = await tx.fetchval("SELECT current_setting('enable_nestloop')")
    await tx.run("SET LOCAL enable_nestloop = off")  # nobody knows yet how much is in these stages
    found = await _pairs(tx)
    await tx.run("SELECT set_config('enable_nestloop', $1, true)", before)
    return found


async def _pairs(tx: Transaction) -> bool:
    for name, columns in (
        ("i_new_raw", _RAW), ("i_old_raw", _RAW), ("i_new", _SIDE), ("i_old", _SIDE),
        ("i_pairs", "new bigint, old bigint, agreement integer"),
        ("i_verdicts", "agreement integer, outcome text, reason text, agrees text[], differs text[]"),
        ("i_claims", "state text, local text"),
    ):  # fmt: skip
        await tx.temp(name, columns)
    if not await tx.changed(f"INSERT INTO i_new_raw {_NEW}"):
        return False
    await tx.run("ANALYZE i_new_raw")
    if not await tx.changed(f"INSERT INTO i_old_raw {_OLD}"):
        return False
    for side in ("new", "old"):
        await _write_down(tx, side)
    await _claims(tx)
    await _forget_what_says_nothing(tx)
    await tx.run("ANALYZE i_new, i_old")
    await tx.run(_PAIRS)
    await _judge(tx)
    return True


async def _write_down(tx: Transaction, side: str) -> None:
    """The people of one side in the form in which they are compared."""
    after = 0
    while rows := await tx.fetch(
        f"SELECT * FROM i_{side}_raw WHERE n > $1 AND n <= $2 ORDER BY n", after, after + _AT_ONCE
    ):
        await tx.copy(f"i_{side}", _COLUMNS, await asyncio.to_thread(_compared, rows))
        after += _AT_ONCE


def _compared(rows: Iterable[Any]) -> list[tuple[Any, ...]]:
    return list(_each(rows))


def _each(rows: Iterable[Any]) -> Iterator[tuple[Any, ...]]:
    for row in rows:
        given = law.words(row["given_name"])
        yield (
            row["n"], row["id"], row["sourced_id"], row["comes"],
            law.state_ids(row["user_master_identifier"], row["user_ids"] or ()), law.identifier(row["identifier"]),
            row["birth_on"], "".join(given) or None, law.normalised(row["family_name"]) or None,
            law.normalised(row["preferred_given_name"]) or None, given,
        )  # fmt: skip


async def _forget_what_says_nothing(tx: Transaction) -> None:
    """A day on which far too many were born stands for "not known"; an identifier that many carry for "none"."""
    for side in ("i_new", "i_old"):
        await tx.run(f"""
            UPDATE {side} SET born = NULL WHERE born IN (
                SELECT born FROM {side} GROUP BY born
                HAVING count(*) > GREATEST(50, (SELECT count(*) FROM {side}) / 50))
        """)
        await tx.run(f"""
            UPDATE {side} SET local = NULL WHERE local IN (
                SELECT local FROM {side} GROUP BY local HAVING count(*) > {_OFTEN})
        """)
        await tx.run(f"""
            UPDATE {side} SET states = '{{}}' WHERE states && (
                SELECT array_agg(state) FROM (
                    SELECT state FROM {side}, unnest(states) AS state GROUP BY state HAVING count(*) > {_OFTEN}) AS o)
        """)


def _flag(flag: Agreement, condition: str) -> str:
    return f"CASE WHEN {condition} THEN {flag.value} ELSE 0 END"


_GIVEN_SAME = "a.given = b.given OR a.preferred = b.given OR b.preferred = a.given"
_AGREEMENT = " + ".join((
    _flag(Agreement.STATE_SAME, "a.states && b.states"),
    _flag(Agreement.STATE_DIFFERS, "a.states <> '{}' AND b.states <> '{}' AND NOT a.states && b.states"),
    _flag(Agreement.LOCAL_SAME, "a.local = b.local"),
    _flag(Agreement.LOCAL_DIFFERS, "a.local <> b.local"),
    _flag(Agreement.BORN_SAME, "a.born = b.born"),
    _flag(Agreement.BORN_DIFFERS, "a.born <> b.born"),
    _flag(Agreement.GIVEN_SAME, _GIVEN_SAME),
    _flag(Agreement.GIVEN_LIKE, "a.words <> '{}' AND b.words <> '{}' AND (a.words <@ b.words OR b.words <@ a.words)"),
    _flag(Agreement.FAMILY_SAME, "a.family = b.family"),
    _flag(Agreement.SWAPPED, "a.given <> a.family AND a.given = b.family AND a.family = b.given"),
    _flag(Agreement.STATE_SHARED, "EXISTS (SELECT FROM unnest(a.states) AS v WHERE v = ANY (b.states) "
                                  "AND v IN (SELECT state FROM shared_states))"),
    _flag(Agreement.LOCAL_SHARED, "a.local = b.local AND a.local IN (SELECT local FROM shared_locals)"),
))  # fmt: skip
_PAIRS = f"""
    WITH new_states AS (SELECT n, state FROM i_new, unnest(states) AS state),
    old_states AS (SELECT n, comes, state FROM i_old, unnest(states) AS state),
    shared_states AS MATERIALIZED (
        SELECT state FROM new_states GROUP BY state HAVING count(*) > 1
        UNION SELECT state FROM old_states GROUP BY state HAVING count(*) > 1 OR bool_or(comes)
        UNION SELECT n.state FROM new_states n JOIN i_claims c ON c.state = n.state
    ),
    shared_locals AS MATERIALIZED (
        SELECT local FROM i_new GROUP BY local HAVING count(*) > 1
        UNION SELECT local FROM i_old GROUP BY local HAVING count(*) > 1 OR bool_or(comes)
        UNION SELECT n.local FROM i_new n JOIN i_claims c ON c.local = n.local
    ),
    together AS (
        SELECT a.n AS new, b.n AS old FROM new_states a JOIN old_states b USING (state)
        UNION SELECT a.n, b.n FROM i_new a JOIN i_old b USING (local)
        UNION SELECT a.n, b.n FROM i_new a JOIN i_old b USING (born, family)
        UNION SELECT a.n, b.n FROM i_new a JOIN i_old b USING (born, given)
        UNION SELECT a.n, b.n FROM i_new a JOIN i_old b ON a.born = b.born AND a.given = b.family AND a.family = b.given
        UNION SELECT a.n, b.n FROM i_new a JOIN i_old b ON a.born = b.born AND a.preferred = b.given
        UNION SELECT a.n, b.n FROM i_new a JOIN i_old b ON a.born = b.born AND a.given = b.preferred
    )
    INSERT INTO i_pairs
    SELECT t.new, t.old, {_AGREEMENT}
    FROM together t JOIN i_new a ON a.n = t.new JOIN i_old b ON b.n = t.old
    WHERE NOT b.comes AND NOT EXISTS (
        SELECT FROM identity_reviews r
        WHERE r.sourced_id = a.sourced_id AND r.candidate_id = b.id AND r.decision = 'different')
"""


async def _judge(tx: Transaction) -> None:
    """The verdict on every sort of pair there is."""
    rows = await tx.fetch("SELECT DISTINCT agreement FROM i_pairs")
    judged = []
    for row in rows:
        agreement = Agreement(row["agreement"])
        said = law.verdict(agreement)
        judged.append((agreement.value, said.outcome.value, said.reason, *law.in_words(agreement)))
    await tx.copy("i_verdicts", ["agreement", "outcome", "reason", "agrees", "differs"], judged)


async def _claims(tx: Transaction) -> None:
    """The identifiers of new people that somebody known carries in this file: they prove nothing."""
    rows = await tx.fetch(f"""
        WITH known AS (
            SELECT s.sourced_id, s.user_master_identifier, string_to_array(s.user_ids, ',') AS user_ids, s.identifier
            FROM s_users s
            JOIN crosswalk c ON c.source = '{SOURCE}' AND c.type = 'user' AND c.sourced_id = s.sourced_id
                AND c.end_on IS NULL
            WHERE NOT s.refused
        ), called AS (
            SELECT k.sourced_id FROM known k, unnest(k.user_ids) AS user_id
            JOIN (SELECT DISTINCT unnest(user_ids) AS user_id FROM i_new_raw) AS said USING (user_id)
        )
        SELECT DISTINCT user_master_identifier, user_ids, identifier FROM known
        WHERE user_master_identifier IN (SELECT user_master_identifier FROM i_new_raw)
           OR identifier IN (SELECT identifier FROM i_new_raw)
           OR sourced_id IN (SELECT sourced_id FROM called)
    """)
    await tx.copy("i_claims", ["state", "local"], [claim for row in rows for claim in _claimed(row)])


def _claimed(row: Any) -> Iterator[tuple[str | None, str | None]]:
    for state in law.state_ids(row["user_master_identifier"], row["user_ids"] or ()):
        yield state, None
    if local := law.identifier(row["identifier"]):
        yield None, local


async def match(tx: Transaction) -> int:
    """Write into i_matched who is the same, beyond doubt and with nobody else in question; how many."""
    return await tx.changed(
        f"""
        WITH strong AS (
            SELECT p.new, p.old, v.reason, count(*) OVER (PARTITION BY p.new) AS of_new,
                   count(*) OVER (PARTITION BY p.old) AS of_old
            FROM i_pairs p JOIN i_verdicts v USING (agreement) WHERE v.outcome = '{Outcome.SAME}'
        )
        INSERT INTO i_matched (event_id, type, row_id, was_called, is_called, reason)
        SELECT gen_random_uuid(), 'user', b.id, b.sourced_id, a.sourced_id, s.reason
        FROM strong s JOIN i_new a ON a.n = s.new JOIN i_old b ON b.n = s.old
        WHERE s.of_new = 1 AND s.of_old = 1
        """
    )


async def ask(tx: Transaction, import_id: UUID) -> int:
    """Put what is not certain on the list for a person to decide; how many pairs."""
    return await tx.changed(
        f"""
        INSERT INTO identity_reviews (
            district_id, id, import_id, sourced_id, candidate_id, reason, agrees, differs)
        SELECT $1, gen_random_uuid(), $2, a.sourced_id, b.id,
               CASE v.outcome WHEN '{Outcome.SAME}' THEN 'several-candidates' ELSE v.reason END, v.agrees, v.differs
        FROM i_pairs p JOIN i_verdicts v USING (agreement) JOIN i_new a ON a.n = p.new JOIN i_old b ON b.n = p.old
        WHERE v.outcome <> '{Outcome.DIFFERENT}'
          AND NOT EXISTS (SELECT FROM i_matched m WHERE m.type = 'user' AND m.is_called = a.sourced_id)
          AND NOT EXISTS (SELECT FROM i_matched m WHERE m.type = 'user' AND m.row_id = b.id)
        ON CONFLICT (district_id, sourced_id, candidate_id) DO NOTHING
        """,
        tx.caller.district, import_id,
    )  # fmt: skip
