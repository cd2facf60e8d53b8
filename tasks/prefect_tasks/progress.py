"""How far the scoring of a large batch has come, as a progress artifact of its task run.

Prefect keeps every update in its database, so there are few: none for a batch that is scored in a
moment, and one every few seconds for others.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

_log = logging.getLogger("signature_gate.progress")

SECONDS_APART = 5.0


@dataclass
class Pace:
    """Makes few updates out of much news, and never lets showing stop the work.

    Attributes:
        show: Shows how much is done, from 0 to 100.
        seconds: Time between two updates, and before the first one.
        clock: Seconds, from any start.
    """

    show: Callable[[float], None]
    seconds: float = SECONDS_APART
    clock: Callable[[], float] = time.monotonic
    _shown: bool = field(default=False, init=False)
    _broken: bool = field(default=False, init=False)
    _last: float = field(init=False)

    def __post_init__(self) -> None:
        """Start the clock."""
        self._last = self.clock()

    def tell(self, done: int, of: int) -> None:
        """Take the news, and show it if it is time, or if it is the last of a batch on show.

        Args:
            done: Rows that are scored.
            of: Rows that are to be scored.
        """
        finished = done >= of
        due = not finished and self.clock() - self._last >= self.seconds
        if self._broken or not (due or (finished and self._shown)):
            return
        try:
            self.show(100.0 if finished else 100.0 * done / of)
        except Exception as error:  # noqa: BLE001 - no batch fails for want of a picture of it
            self._broken = True
            _log.warning("progress is not shown any more: %s", type(error).__name__)
        self._shown, self._last = True, self.clock()


@dataclass
class ProgressArtifact:
    """A progress artifact of the task that runs; it has no key, so that it stays with its run.

    Attributes:
        description: What it is about.
    """

    description: str
    _id: UUID | None = field(default=None, init=False)

    def show(self, percent: float) -> None:
        """Create the artifact, or update it.

        Args:
            percent: How much is done, from 0 to 100.
        """
        from prefect.artifacts import create_progress_artifact, update_progress_artifact

        if self._id is None:
            created = create_progress_artifact(percent, description=self.description)
            # Prefect types what a sync caller receives as if it might be awaited.
            self._id = cast("UUID", created)
        else:
            update_progress_artifact(self._id, progress=percent)
