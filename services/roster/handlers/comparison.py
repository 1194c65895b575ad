"""What an import would change: names resolved, files compared with what is kept, and what changed checked."""

from dataclasses import dataclass, replace
from typing import Any

from services.roster.domain.columns import File
from services.roster.domain.delivery import Came, Delivery
from services.roster.domain.findings import Findings
from services.roster.domain.layout import READ
from services.roster.store import RECORDS, STAGES, TYPES, comparing, identity, naming, referring, staging
from services.roster.store.comparing import Changes
from shared.db import Transaction
from shared.imports import Job

_SMALL = 50_000


@dataclass(slots=True)
class Compared:
    """What came, and what of it differs from what is kept."""

    came: dict[str, Came]
    changes: dict[str, Changes]

    @property
    def changed(self) -> list[str]:
        """The files of which something differs."""
        return [file for file, found in self.changes.items() if found.some]

    @property
    def size(self) -> int:
        return sum(found.new + found.changed + found.vanished for found in self.changes.values())


class Comparison:
    """One import's files beside what is kept."""

    def __init__(
        self, job: Job, tx: Transaction, delivery: Delivery, came: dict[str, Came], has_twins: set[str],
        findings: Findings,
    ) -> None:  # fmt: skip
        self._job = job
        self._tx = tx
        self._files = {file.name: file for file in delivery.files}
        self._came = came
        self._has_twins = has_twins
        self._findings = findings
        self._rows = sum(one.rows for one in came.values())

    async def run(self) -> Compared:
        """Fill the differences, `d_…`, with what passes."""
        await staging.plan_for(self._tx, self._rows)
        await self._resolve_all()
        changes = {}
        for name in RECORDS:
            if name in self._came:
                changes[name] = await self._compare(self._files.get(name) or _derived(self._files["users"]))
        return Compared(self._came, changes)

    async def _resolve_all(self) -> None:
        """Say what every name means; rows that are known under another name are recognised first."""
        unknown = [file for file in TYPES if file != "users" and await self._resolve(file)]
        users = self._files.get("users")
        if (
            users is not None
            and "roles" not in self._files
            and any(c.place == "org_sourced_ids" for c in users.columns)
        ):
            await self._derive_roles(users)
        await identity.set_aside(self._tx)
        if await self._resolve("users"):
            unknown.append("users")
        if not unknown or not await self._tx.fetchval("SELECT EXISTS (SELECT FROM people)"):
            return
        whole = [file.name for file in self._files.values() if file.mode == "bulk"]
        found = await identity.recognise(self._tx, self._job.id, bulk=whole, unknown=unknown)
        if found.reattached or found.reviews:
            self._job.summary["identity"] = {"reattached": found.reattached, "reviews": found.reviews}
        if found.reattached:
            for file in TYPES:
                await self._tx.run(f"TRUNCATE n_{STAGES[file]}")
                await self._resolve(file)

    async def _resolve(self, file: str) -> bool:
        """Whether there are names that mean nothing yet."""
        is_whole = file in self._files and self._files[file].mode == "bulk"
        new = await naming.resolve(
            self._tx, file, self._came, is_whole=is_whole, has_twins=file in self._has_twins
        )  # fmt: skip
        await staging.analyze(self._tx, [f"n_{STAGES[file]}"])
        return new > 0

    async def _derive_roles(self, users: File) -> None:
        refused = await referring.users_orgs(self._tx, users, self._came, self._findings)
        self._refuse("users", refused)
        await staging.derive_roles(self._tx)
        rows = await self._tx.fetchval("SELECT count(*) FROM s_roles")
        self._came["roles"] = Came("roles", users.mode, rows, derived=True)
        await staging.analyze(self._tx, ["s_roles"])

    async def _compare(self, file: File) -> Changes:
        tx, name = self._tx, file.name
        found = await comparing.compare(tx, name, file.mode, self._came)
        teller = "users" if self._came[name].derived else name
        if found and file.mode == "bulk" and self._has_nameless(teller):
            await comparing.keep_all(tx, name)  # any of them may be the one that a row without a name means
        if self._came[name].derived and file.mode == "delta":
            found += await comparing.end_former_roles(tx)
        if not found:
            return Changes()
        await staging.analyze(tx, [f"d_{file.stage}"])
        await comparing.forget_aliases(tx, name)
        if file.mode == "delta":
            await comparing.forget_older(tx, file, self._findings)
        if name == "roles" and not self._came[name].derived:
            await referring.one_primary(tx, file, self._findings)
        refused = await referring.check(tx, file, self._came, self._findings)
        if refused:
            self._refuse(name, refused)
            await referring.forget_refused(tx, name)
            if name in TYPES:
                await naming.forget_refused(tx, name)
        if name in ("roles", "enrollments") and self._came[teller].refused:
            await comparing.keep_those_of(tx, name, teller)
        return await comparing.changes(tx, name)

    def _has_nameless(self, file: str) -> bool:
        """Whether there are rows of which nobody knows whom they mean; what is known by a person's name counts too."""
        files = ("users", file) if RECORDS[file].key == "person_id" else (file,)
        return any(self._came[one].nameless for one in files if one in self._came)

    def _refuse(self, file: str, rows: int) -> None:
        self._came[file] = replace(self._came[file], refused=self._came[file].refused + rows)


def _derived(users: File) -> File:
    """The roles that users of 1.1 have; what they refer to was checked where it was said."""
    roles = READ["1.2"]["roles"]
    return File("roles", roles.columns, users.mode)


async def count(job: Job, tx: Transaction, compared: Compared) -> None:
    """Records by what becomes of them; whose roles alone changed, where a row holds both, changed."""
    counts = job.counts
    for file, came in compared.came.items():
        found = compared.changes[file]
        if came.derived:
            more = await comparing.only_roles_changed(tx)
            counts.changed += more
            counts.unchanged -= more
            continue
        refused = came.refused and await staging.refused(tx, file) + came.nameless
        counts.added += found.new
        counts.changed += found.changed + found.vanished
        counts.refused += refused
        counts.unchanged += came.rows - refused - found.new - found.changed


def summary(compared: Compared) -> dict[str, Any]:
    """What becomes of the records of each file."""
    return {
        file: {
            "added": found.new,
            "changed": found.changed,
            "leaving": found.vanished,
            "unchanged": max(0, compared.came[file].rows - compared.came[file].refused - found.new - found.changed),
        }
        for file, found in compared.changes.items()
    }
