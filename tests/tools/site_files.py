"""A hook of mkdocs.yml: files of deployments/ to which pages link become part of the site.

In the repository such a link leaves docs/ by ``../``; in the site it does not.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from mkdocs.structure.files import File

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

_OUT_OF_DOCS = re.compile(r"(\]\((?:\.\./)*)\.\./(deployments/[^)#]+)")


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add each file that a page names, under its path in the repository."""
    root = Path(config.docs_dir).parent
    pages = [page.content_string for page in files.documentation_pages()]
    for path in sorted({link[1] for text in pages for link in _OUT_OF_DOCS.findall(text)}):
        files.append(File.generated(config, path, abs_src_path=str(root / path)))
    return files


def on_page_markdown(markdown: str, **_: object) -> str:
    """Let links to these files begin at the site's root, as docs/ does."""
    return _OUT_OF_DOCS.sub(r"\1\2", markdown)
