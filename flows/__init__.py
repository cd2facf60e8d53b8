"""Which step follows which: the Prefect flows, the command line, the demo.

``score_batches`` scores what has arrived in a feed, ``gate_batch`` judges one batch,
``watch_schema`` reports what drifts, ``release_quarantined`` judges a quarantined batch again.
Each is imported when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..lazy import attach

if TYPE_CHECKING:
    from .gating import gate_batch
    from .releasing import release_quarantined
    from .scoring import score_batches
    from .watching import watch_schema

__all__ = ["gate_batch", "release_quarantined", "score_batches", "watch_schema"]

__getattr__ = attach(
    __name__,
    {
        "gate_batch": ".gating",
        "release_quarantined": ".releasing",
        "score_batches": ".scoring",
        "watch_schema": ".watching",
    },
)
