"""Text images drawn from (seed, split, index), with the truth about every line.

No file of this package imports torch: drawing runs in many processes, which must start fast.
"""

from tfic.synth.page import DRAWING_VERSION, draw

__all__ = ["DRAWING_VERSION", "draw"]
