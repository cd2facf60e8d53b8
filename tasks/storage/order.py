"""The order of writes that makes a crash harmless, at whatever instant it comes.

Each batch goes through the points of ``CHECKPOINTS``, one after the other, under its claim.
Every write is flushed, file and folder, before the next one begins. The plan is the turning point:
before it nothing outside ``.staging`` has changed and the attempt is simply begun anew; after it
every step is written down and can be made again, so recovery goes forward and judges and scores
nothing twice. The receipt is the commit: with it the batch is done.

Nothing is overwritten: each public name must be free when it is taken.
"""

from __future__ import annotations

import logging

_log = logging.getLogger("signature_gate.storage")

# point reached -> why it is safe to die right after it
CHECKPOINTS: dict[str, str] = {
    "claimed": "the kernel frees the lock; the batch lies in the inbox as before",
    "bound": "the intent names the pinned version; the next attempt keeps to it",
    "staged": "outputs lie in .staging, which nobody reads; the next attempt clears it",
    "planned": "all outputs are whole and all steps written down; recovery makes them",
    "moved": "a step that is made shows in the folders; recovery makes those after it",
    "committed": "the receipt is there; recovery only sweeps",
    "swept": "nothing is left but the results",
}


def log_checkpoint(batch: str, point: str) -> None:
    """Tell whoever listens (at debug level) that a point of ``CHECKPOINTS`` is behind."""
    _log.debug("%s: %s", batch, point)
