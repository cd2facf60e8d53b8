"""The pages of docs/reference/ say what the code has."""

from __future__ import annotations

import pytest
from reference import FOLDER, PAGES


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_up_to_date(name: str) -> None:
    """If it is not: run make reference."""
    assert (FOLDER / name).read_text("utf-8") == PAGES[name]()


def test_no_other_page_lies_there() -> None:
    """A page that nothing makes would grow old unseen."""
    assert {path.name for path in FOLDER.iterdir()} == PAGES.keys()
