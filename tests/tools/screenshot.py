"""Take a screenshot of the demo's feed page for the README; run by ``make screenshot``."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

_WIDTH, _HEIGHT = 1100, 1560


def main(demo: Path, picture: Path) -> None:
    """Open the page of the demo's last run in Chromium and save its upper part.

    Args:
        demo: The demo's folder.
        picture: The PNG to write.
    """
    runs = sorted(demo.glob("run-*/pages/feed-flights/index.html"), key=lambda p: p.stat().st_mtime)
    with sync_playwright() as playwright:
        binary = shutil.which("chromium")
        chromium = playwright.chromium.launch(executable_path=binary, args=["--no-sandbox"])
        page = chromium.new_page(viewport={"width": _WIDTH, "height": _HEIGHT})
        page.goto(runs[-1].absolute().as_uri())
        page.screenshot(path=picture)
        chromium.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
