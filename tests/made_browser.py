"""A report in Debian's chromium."""

from pathlib import Path

from playwright.sync_api import Browser, Page

WAIT_MS = 300_000
"""A busy machine draws for minutes what takes two seconds on a quiet one."""
Opened = tuple[Page, list[str], list[str]]
"""A report in a page, with what its console said and what it asked for."""


def open_report(browser: Browser, file: Path) -> Opened:
    """Open a report in a new page."""
    said: list[str] = []
    asked: list[str] = []
    page = browser.new_page(viewport={"width": 1200, "height": 900})
    page.set_default_timeout(WAIT_MS)
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(file.as_uri(), wait_until="load")
    return page, said, asked


def middle(page: Page, place: str) -> tuple[float, float]:
    """The middle of an element, which is scrolled into view first."""
    page.locator(place).scroll_into_view_if_needed()
    box = page.locator(place).bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def brush(page: Page, axis: str, low: float, high: float) -> None:
    """Drag along an axis of the parallel coordinates, between two parts of its height from below."""
    hit = page.locator(f'#parallel rect[data-axis="{axis}"]')
    hit.scroll_into_view_if_needed()
    box = hit.bounding_box()
    assert box is not None
    x = box["x"] + box["width"] / 2
    page.mouse.move(x, box["y"] + box["height"] * (1 - low))
    page.mouse.down()
    page.mouse.move(x, box["y"] + box["height"] * (1 - high), steps=4)
    page.mouse.up()
