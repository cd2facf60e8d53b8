"""Run the command line in the test's own process, which has the libraries imported."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from signature_gate.flows.cli.main import main

if TYPE_CHECKING:
    from pytest import CaptureFixture  # noqa: PT013 - a type only


def run(capsys: CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Run a command.

    Args:
        capsys: The test's own fixture.
        arguments: The arguments, without the program's name.

    Returns:
        Exit code, stdout and stderr.
    """
    capsys.readouterr()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["signature-gate", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
    printed = capsys.readouterr()
    code = ended.value.code
    return code if isinstance(code, int) else int(bool(code)), printed.out, printed.err
