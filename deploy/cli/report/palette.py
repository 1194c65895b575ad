"""Colours by role. A picture is drawn in stand-ins, which the page gives their light, dark or printed colour."""

INK, MUTED, GRID, PAPER = "#010a01", "#010a02", "#010a03", "#010a04"
SERIES = ("#010b01", "#010b02", "#010b03", "#010b04", "#010b05", "#010b06")
"""For lines, bars and points, in this order; told apart by people who see red and green alike."""

VARIABLES = {INK: "--ink", MUTED: "--muted", GRID: "--grid", PAPER: "--paper"} | {
    stand_in: f"--series-{number}" for number, stand_in in enumerate(SERIES, start=1)
}

LIGHT = {
    "--ink": "#1c2128", "--muted": "#59636e", "--grid": "#dfe3e8", "--paper": "#ffffff", "--soft": "#f4f6f8",
    "--series-1": "#0b62a4", "--series-2": "#c2500a", "--series-3": "#0a7d5a", "--series-4": "#8a3ab0",
    "--series-5": "#8a6a00", "--series-6": "#b3245a",
}  # fmt: skip
DARK = {
    "--ink": "#e6e9ed", "--muted": "#a3adb8", "--grid": "#353c45", "--paper": "#14181d", "--soft": "#1d232a",
    "--series-1": "#6cb6f5", "--series-2": "#f59a56", "--series-3": "#4fd0a5", "--series-4": "#cf9bf0",
    "--series-5": "#e0c04a", "--series-6": "#f58ab0",
}  # fmt: skip


def declared(colours: dict[str, str]) -> str:
    """The colours as CSS declarations."""
    return "; ".join(f"{name}: {colour}" for name, colour in colours.items())
