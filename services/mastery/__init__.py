"""Mastery: what each student is believed to know, and why.

Owns competency frameworks (CASE), the ledger of evidence, and the beliefs traced from it.
From these it takes snapshots of the figures of schools, with small groups hidden; it asks the roster what is part of
what. When its model changes it traces everybody anew.
Announces `MasteryChanged`.
Listens to `FormPublished`, `AdministrationPlanned` and `AttemptsScored` of assessment, and to `StudentsPlaced` of the
roster, whose placements decide which schools' keys see a student; and to its `PeopleMerged` and `PeopleSplit`, which
say whose the evidence is.

Read it in this order: domain, store, handlers, api, events, main.
"""
