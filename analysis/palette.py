"""Colours and marks of the codec families, the same in every figure and table."""

COLOURS = {"TFIC": "#d55e00", "control": "#637ed8", "baseline": "#0072b2", "half of stage 1": "#7eb4d8",
           "JPEG": "#7a7a7a", "WebP": "#009e73", "AVIF": "#b0578d",
           "AVIF, speed 0": "#753f90", "AVIF 4:4:4": "#b46cab", "AVIF at half size": "#7e4863",
           "WebP at half size": "#6cbd87",
           "AVIF, text alone": "#b46c63", "JPEG, text alone": "#a2ab99",
           "JPEG XL": "#09abf3", "HEIC": "#cf991b", "uncompressed": "#999999"}  # fmt: skip
"""Colour of a family, in the order in which families are shown. The main ones are Okabe and Ito's, changed a little
to be read on white and on black; any two are at least 9 apart (CIE76), also for eyes without red or green cones."""
SYMBOLS = {"TFIC": "circle", "control": "x", "baseline": "square", "half of stage 1": "square-open",
           "JPEG": "circle-open", "WebP": "diamond", "AVIF": "diamond-open",
           "AVIF, speed 0": "triangle-up", "AVIF 4:4:4": "triangle-down", "AVIF at half size": "triangle-up-open",
           "WebP at half size": "triangle-down-open",
           "AVIF, text alone": "cross", "JPEG, text alone": "triangle-left",
           "JPEG XL": "hourglass", "HEIC": "bowtie"}  # fmt: skip
"""Mark of a family, of no other one."""
IN_SPACE = {"triangle-up": "diamond", "triangle-down": "cross", "triangle-up-open": "diamond-open",
            "triangle-down-open": "square-open", "triangle-left": "x", "hourglass": "circle",
            "bowtie": "square"}  # fmt: skip
"""Marks in space, where Plotly has eight, of those that it lacks there; their rims tell the families apart."""
INK, GRID, QUIET = "#26282b", "#e7e5e0", "#9b978f"
"""Colour of text and of families without one; of grid lines; of axes."""
PAPER, WALL = "#ffffff", "#f7f5f1"
"""Colour behind a figure, and of the walls of a figure in space."""
DARK = {INK: "#e6e3dd", GRID: "#35383d", QUIET: "#8a8780", PAPER: "#16181b", WALL: "#1f2226", "#b9b5ad": "#6a6862"}
"""Colours of figures in dark surroundings, by those in light ones. Families keep theirs in both."""
