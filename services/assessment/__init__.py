"""Assessment: what students were asked, what they answered, and what that says of them.

It owns test forms and their versions, administrations (testing windows with a purpose), attempts (answer sheets,
scored, with the ability they speak for) and what attempts were before a correction.

It announces `FormPublished`, `AdministrationPlanned` and `AttemptsScored`. It listens to the roster's
`StudentsPlaced`, to know which attempts a school may see, and to `PeopleMerged` and `PeopleSplit`, to know whose they
are.

Read on in this order: `domain`, `store`, `handlers`, `api`, `events`, `main`.
"""
