"""The roster: who belongs where, and since when.

It owns organisations, academic sessions, courses, classes, people with their outside identifiers, roles, enrolments,
demographics and gradebooks of a district, attendance and closures. They arrive as OneRoster CSV archives (1.1 and 1.2,
bulk and delta): read in columns, repaired where a repair is unambiguous, checked in SQL, merged in one transaction so
that the same archive twice changes nothing; or over OneRoster's REST, which it also answers.

It announces what changed: who is where (`StudentsPlaced`, `PeopleJoined` and others), enrolments, organisations, who
is the same person, attendance, closures, demographics. Who begins to listen takes the present state (`api.facts`).
From `FormPublished`, `AdministrationPlanned`, `AttemptsScored` and `MasteryChanged` it keeps what assessments found
out, to tell it as OneRoster does. Others ask it over REST (`contract`).

Reading order: `domain` (what an archive may say), `store` (where SQL and permission live), `handlers` (the import),
`events`, `api`, `main`.
"""
