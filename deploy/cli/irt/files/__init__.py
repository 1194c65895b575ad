"""Files of responses: CSV and Parquet, students × items or one line per answer, read into bytes.

Wide: a header, then one row per student; every column is an item except those named. Long: `student,item,score[,time]`,
recognised by its header. An empty cell or `NA` is an item that was not presented. An item's categories are its distinct
scores in order. Nothing is guessed: whatever is no score is refused with its line and column.
"""

from deploy.cli.irt.files.answers import Grouping, ResponseFile
from deploy.cli.irt.files.reading import read_responses

__all__ = ["Grouping", "ResponseFile", "read_responses"]
