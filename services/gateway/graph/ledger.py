"""How much evidence there is."""

import strawberry

from services.mastery import contract


@strawberry.type(description="The ledgers of evidence, of all students the caller may see, together.")
class Ledger:
    sheets: int = strawberry.field(description="Answer sheets that count.")
    entries: int = strawberry.field(description="Responses on them, once for each competency they are evidence of.")

    @classmethod
    def of(cls, count: contract.EvidenceCount) -> "Ledger":
        return cls(sheets=count.sheets, entries=count.entries)
