"""Processes forked from a server that has slow libraries imported, so that each costs its work."""

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
    """Start a function in a process of its own.

    Args:
        work: A function of a module.
        arguments: What it is given.
        preload: Modules that it finds imported.

    Returns:
        The process, started.
    """
    if _loaded != [preload]:
        # There is one server for the whole process, which keeps to what it has imported.
        forkserver._forkserver._stop()  # type: ignore[attr-defined]  # noqa: SLF001
        _FORKING.set_forkserver_preload(list(preload))
        _loaded[:] = [preload]
    with pytest.MonkeyPatch.context() as patch:
        # The server knows no other way to the modules of the tests.
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))
        forkserver.ensure_running()
    worker = _FORKING.Process(target=work, args=arguments)
    worker.start()
    return worker
