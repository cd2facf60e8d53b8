"""Processes forked from a server that has imported the slow libraries, so that each starts fast."""

from __future__ import annotations

import multiprocessing
import os
import sys
from multiprocessing import forkserver
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from multiprocessing.process import BaseProcess

_FORKING = multiprocessing.get_context("forkserver")
_loaded: list[Sequence[str]] = []


def forked(work: Callable[..., None], *arguments: Any, preload: Sequence[str]) -> BaseProcess:
    """Run a function in another process.

    Args:
        work: A function of a module.
        arguments: Its arguments.
        preload: Modules that the server imports before it forks.

    Returns:
        The process, started.
    """
    if _loaded != [preload]:
        # One server serves the whole test process, and keeps the modules of its first start.
        forkserver._forkserver._stop()  # type: ignore[attr-defined]  # noqa: SLF001
        _FORKING.set_forkserver_preload(list(preload))
        _loaded[:] = [preload]
    with pytest.MonkeyPatch.context() as patch:
        # The server finds the modules of the tests by this path alone.
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))
        forkserver.ensure_running()
    worker = _FORKING.Process(target=work, args=arguments)
    worker.start()
    return worker
