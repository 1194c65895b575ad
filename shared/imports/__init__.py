"""Files in: staged durably, validated whole, then merged in chunks that only go forward.

receiving → staged → validating → refused
                               → merging → applied

`failed` is a mistake of ours while validating, never of the file's; nothing of it was applied.

A kill while validating starts validation over; a kill while merging resumes at the cursor, which moves in the same
transaction as the rows. All or none by default; with `keep_good` the valid rows are merged and the rest reported.
"""

from shared.imports.job import Counts, Finding, Importer, Job, NoSuchImport, Report, report_of
from shared.imports.uploads import EmptyFile, SameKeyOtherFile, StillReceiving
from shared.imports.worker import Imports

__all__ = [
    "Counts",
    "EmptyFile",
    "Finding",
    "Importer",
    "Imports",
    "Job",
    "NoSuchImport",
    "Report",
    "SameKeyOtherFile",
    "StillReceiving",
    "report_of",
]
