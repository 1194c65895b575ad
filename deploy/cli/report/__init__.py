"""Reports for people: one HTML file with text, tables and pictures that opens without a network and runs no script.

    page("Calibration", [Section("Items", [Table(("item", "a"), rows), picture(paint, alt="…", caption="…")])])

`paint` draws on a matplotlib figure with the colours of `palette`; the picture is inline SVG whose colours follow the
page, light, dark or printed.
"""

from deploy.cli.report.page import Facts, Part, Picture, Section, Table, Text, page
from deploy.cli.report.pictures import picture

__all__ = ["Facts", "Part", "Picture", "Section", "Table", "Text", "page", "picture"]
