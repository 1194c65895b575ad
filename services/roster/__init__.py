"""The roster: who belongs where, and since when.

It owns organisations, academic sessions, courses, classes, people with their outside identifiers, roles, enrolments
and demographics of a district. They arrive as OneRoster CSV archives (1.1 and 1.2, bulk): read in chunks, repaired
where a repair is unambiguous, checked in SQL, merged so that the same archive twice changes nothing.

It announces `StudentsPlaced`: in which schools a student is enrolled and from when to when, each time that changes.
From `FormPublished`, `AdministrationPlanned`, `AttemptsScored` and `MasteryChanged` it keeps what assessments found
out, to tell it as OneRoster does. Others ask it over REST (`contract`).

Reading order: `domain` (what an archive may say), `store` (where SQL and permission live), `handlers` (the import),
`events`, `api`, `main`.
"""
