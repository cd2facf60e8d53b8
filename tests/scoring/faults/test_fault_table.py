from __future__ import annotations

import ast
from functools import cache

import pytest
from fault_table import FAULTS, page
from repository import ROOT

TESTS = ROOT / "tests"


@cache
def proofs_in(pattern: str) -> dict[str, str]:
    """List the test functions of some files, each with its docstring."""
    return {
        node.name: ast.get_docstring(node) or ""
        for path in TESTS.rglob(pattern)
        for node in ast.parse(path.read_text("utf-8")).body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


NAMED = {test for faults in FAULTS.values() for fault in faults for test in fault.tests}


@pytest.mark.parametrize("test", sorted(NAMED))
def test_every_fault_is_proven_by_a_test_that_exists(test: str) -> None:
    """Each test of the table is a function of the suite, with a docstring."""
    assert proofs_in("test_*.py")[test]


@pytest.mark.parametrize("files", ["scoring/faults/test_[cdir]*.py"])
def test_every_proof_stands_in_the_table(files: str) -> None:
    """Each test of these files is in the table."""
    assert set(proofs_in(files)) - NAMED == set()


def test_the_page_is_the_table() -> None:
    """docs/faults.md is as ``make faults`` writes it."""
    assert (ROOT / "docs" / "faults.md").read_text("utf-8") == page()
