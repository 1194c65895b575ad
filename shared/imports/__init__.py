"""Files in: staged durably, validated whole, then merged.

receiving → staged → validating → refused
                               → merging → applied → undoing → undone
                               → held → staged (approved), refused (rejected), expired
                               → reported → staged (applied for real), refused

`failed` is a mistake of ours while validating, never of the file's; nothing of it was applied.

An `Importer` merges in chunks: a kill while validating starts validation over, a kill while merging resumes at the
cursor, which moves in the same transaction as the rows. A `WholeImporter` does everything in one transaction: a kill at
any point starts it over. All or none by default; with `keep_good` the valid rows are merged and the rest reported.

Imports of one district are worked on one after the other, those of two districts at once.
"""

from shared.imports.door import Imports, UnknownOption
from shared.imports.findings import Finding, Sort
from shared.imports.importers import DRY_RUN, SWITCH, Importer, Undoes, Verdict, WholeImporter
from shared.imports.job import Counts, Job
from shared.imports.reports import Brief, FindingsPage, NoSuchImport, Report, applied_summaries, report_of
from shared.imports.uploads import EmptyFile, SameKeyOtherFile, StillReceiving

__all__ = [
    "DRY_RUN",
    "SWITCH",
    "Brief",
    "Counts",
    "EmptyFile",
    "Finding",
    "FindingsPage",
    "Importer",
    "Imports",
    "Job",
    "NoSuchImport",
    "Report",
    "SameKeyOtherFile",
    "Sort",
    "StillReceiving",
    "Undoes",
    "UnknownOption",
    "Verdict",
    "WholeImporter",
    "applied_summaries",
    "report_of",
]
