"""Colours and marks of the codec families, the same in every figure and table."""

COLOURS = {"TFIC": "#d55e00", "control": "#6a7fd0", "baseline": "#0072b2", "half of stage 1": "#6fa3cc",
           "JPEG": "#7a7a7a", "WebP": "#009e73", "AVIF": "#b0578d",
           "AVIF, speed 0": "#9a5fb0", "AVIF 4:4:4": "#c0699a", "AVIF at half size": "#a86a8a",
           "WebP at half size": "#3fae8a",
           "AVIF, text alone": "#b06a6a", "JPEG, text alone": "#8a8478",
           "JPEG XL": "#3f9fd0", "HEIC": "#c48a00", "uncompressed": "#86817a"}  # fmt: skip
"""Colour of a family, in the order in which families are shown (Okabe and Ito's palette, changed a little to be
read on white and on black)."""
SYMBOLS = {"TFIC": "circle", "control": "x", "baseline": "square", "half of stage 1": "square-open",
           "JPEG": "circle-open", "WebP": "diamond", "AVIF": "diamond-open",
           "AVIF, speed 0": "diamond", "AVIF 4:4:4": "square", "AVIF at half size": "circle",
           "WebP at half size": "cross",
           "AVIF, text alone": "cross", "JPEG, text alone": "x",
           "JPEG XL": "square-open", "HEIC": "cross"}  # fmt: skip
"""Mark of a family; only marks that Plotly also knows in three dimensions."""
INK, GRID, QUIET = "#26282b", "#e7e5e0", "#9b978f"
"""Colour of text and of families without one; of grid lines; of axes."""
PAPER, WALL = "#ffffff", "#f7f5f1"
"""Colour behind a figure, and of the walls of a figure in space."""
DARK = {INK: "#e6e3dd", GRID: "#35383d", QUIET: "#8a8780", PAPER: "#16181b", WALL: "#1f2226", "#b9b5ad": "#6a6862"}
"""Colours of figures in dark surroundings, by those in light ones. Families keep theirs in both."""
