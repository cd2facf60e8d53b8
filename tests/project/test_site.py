"""The site of docs/: every page is in it, each link leads somewhere, and no other host is asked."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import pytest
from repository import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from browser import Visitor

pytest.importorskip("mkdocs", reason="mkdocs is not installed: the dependency group docs brings it")
pytest_plugins = ["browser"]


class _Links(HTMLParser):
    """What a page of HTML links to, what it loads, and the names in it that links can end with."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.to: list[str] = []
        self.loads: list[str] = []
        self.names = {""}
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.names |= {given.get("id", ""), given.get("name", "")}
        if tag == "a" and "href" in given:
            self.to.append(given["href"])
        else:
            self.loads += [
                given[name] for name in ("src", "href", "srcset", "data") if given.get(name)
            ]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built strictly: a dead link or a page that no menu has ends the build."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, _Links]:
    """Each page of the site, parsed. The page for wrong addresses is of no one place."""
    found = [path for path in site.rglob("*.html") if path.name != "404.html"]
    return {path.resolve(): _Links(path.read_text("utf-8")) for path in found}


def test_each_page_of_docs_is_a_page_of_the_site(site: Path) -> None:
    """No Markdown file of docs/ is missing, those in its folders included."""
    docs = ROOT / "docs"
    expected = {path.relative_to(docs).with_suffix(".html") for path in docs.rglob("*.md")}

    assert len(expected) > 7
    assert {name for name in expected if not (site / name).is_file()} == set()


def test_every_link_leads_to_a_place_of_the_site(pages: dict[Path, _Links]) -> None:
    """The file is there, and so is the heading that the link names."""
    dead = [
        (here.name, link)
        for here, links in pages.items()
        for link in links.to
        if not urlsplit(link).scheme and not _leads_somewhere(pages, here, link)
    ]

    assert dead == []


def _leads_somewhere(pages: dict[Path, _Links], here: Path, link: str) -> bool:
    path, anchor = unquote(urlsplit(link).path), unquote(urlsplit(link).fragment)
    there = (here.parent / path).resolve() if path else here
    there = there / "index.html" if there.is_dir() else there
    return anchor in pages[there].names if there in pages else there.is_file() and not anchor


def test_every_page_loads_only_what_lies_beside_it(site: Path, pages: dict[Path, _Links]) -> None:
    """Scripts, styles, fonts and pictures are files of the site."""
    loaded = {(here, load) for here, links in pages.items() for load in links.loads}
    missing = {
        load
        for here, load in loaded
        if urlsplit(load).scheme not in {"", "data"}
        or not (here.parent / unquote(urlsplit(load).path)).exists()
    }
    styles = "".join(path.read_text("utf-8") for path in site.rglob("*.css"))

    assert len(loaded) > len(pages)
    assert missing == set()
    assert re.findall(r"(?:url\(|@import)\s*['\"]?(?:https?:)?//[^)]*", styles) == []


def test_in_a_browser_no_page_asks_another_host(pages: dict[Path, _Links], visit: Visitor) -> None:
    """Scripts load nothing from elsewhere either; the pages open without a server."""
    for path in pages:
        with visit(path) as opened:
            assert opened.page.locator("h1").count() == 1, path.name
            assert [
                url for url in opened.requests if not url.startswith(("file:", "data:", "blob:"))
            ] == []
