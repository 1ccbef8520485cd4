"""The figure of README and docs/codecs.md, photographed from a sweep's report by Debian's chromium.

    python scripts/figure_of_report.py report.html docs/accuracy.png

Exit codes: 0 done, 2 no such report, or no chromium.
"""

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from playwright.sync_api import sync_playwright

from tfic.system.cli import bad_input, parser

FIGURE = "#figure-accuracy-bpp"
"""Accuracy over bits per pixel."""
SIZE_PX, SCALE = (1100, 900), 1.5
"""The window, and pixels of the picture for each of its pixels."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    command = parser("python scripts/figure_of_report.py", __doc__)
    command.add_argument("report", type=Path, metavar="REPORT", help="report.html")
    command.add_argument("picture", type=Path, metavar="PNG", help="the picture to write")
    args = command.parse_args(arguments)
    chromium = shutil.which("chromium")
    if not args.report.is_file() or chromium is None:
        return bad_input(
            ValueError(f"{args.report} must be a report, and chromium installed (apt-get install chromium)")
        )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--enable-unsafe-swiftshader"]
        )
        page = browser.new_page(viewport={"width": SIZE_PX[0], "height": SIZE_PX[1]}, device_scale_factor=SCALE)
        page.goto(args.report.resolve().as_uri(), wait_until="load")
        page.locator(FIGURE).screenshot(path=args.picture)
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
