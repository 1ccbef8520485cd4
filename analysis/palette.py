"""Colours and marks of the codec families, the same in every figure and table."""

COLOURS = {"TFIC": "#d55e00", "control": "#2f4b8f", "baseline": "#0072b2", "half of stage 1": "#8fb8d8",
           "JPEG": "#7a7a7a", "WebP": "#009e73", "AVIF": "#b0578d",
           "JPEG XL": "#3f9fd0", "HEIC": "#c48a00", "uncompressed": "#222222"}  # fmt: skip
"""Colour of a family, in the order in which families are shown (Okabe and Ito's palette, a little darker)."""
SYMBOLS = {"TFIC": "circle", "control": "x", "baseline": "square", "half of stage 1": "square-open",
           "JPEG": "circle-open", "WebP": "diamond", "AVIF": "diamond-open",
           "JPEG XL": "square-open", "HEIC": "cross"}  # fmt: skip
"""Mark of a family; only marks that Plotly also knows in three dimensions."""
INK, GRID, QUIET = "#26282b", "#e7e5e0", "#9b978f"
"""Colour of text and of families without one; of grid lines; of axes."""
