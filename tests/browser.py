"""A real browser for the tests of pages: Debian's Chromium, driven by Playwright.

Called by the e2e tier. A browser that cannot be had is an error, never a skipped test.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

from runtime import apt

# A font with Cyrillic letters and the ruble sign comes only as a recommendation.
PACKAGES = ("chromium", "fonts-dejavu-core")
VARIABLE = "CHROMIUM"
NAMES = ("chromium", "chromium-browser", "google-chrome")


class BrowserUnavailable(Exception):
    """There is no Chromium and it could not be installed; the message says what to do."""


def find_browser() -> str | None:
    """The executable: what CHROMIUM names, else one on PATH."""
    given = os.environ.get(VARIABLE)
    return given or next((path for name in NAMES if (path := shutil.which(name))), None)


def ensure_browser() -> str:
    """Finds Chromium, else installs Debian's package as root or by `sudo -n`. Raises BrowserUnavailable."""
    if find_browser() is None:
        apt.install(PACKAGES, print)
    found = find_browser()
    if found is None:
        raise BrowserUnavailable(
            f"The tests of pages need Chromium: install the package {PACKAGES[0]}, or name one in {VARIABLE}."
        )
    return found


@contextmanager
def open_browser() -> Iterator[Browser]:
    """Without a window. Its own sandbox is off: root may not use it, and it meets only our pages."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=ensure_browser(), args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        try:
            yield browser
        finally:
            browser.close()
