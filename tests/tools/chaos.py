"""Kill the workers of a feed, again and again, and report what is lost or doubled.

A feed of mixed batches is scored by ``signature-gate score``, in one or two processes at a time.
Each is killed by SIGKILL, at a random instant or at a named checkpoint, and another takes its
place, until the feed is done. Meanwhile the model's alias moves back and forth, and a reader opens
every file that appears. Then what was delivered is compared, byte by byte and row by row, with what
lies in the feed's folders. ``make chaos`` runs it.
"""

from __future__ import annotations

import argparse
import logging
import os
import random
import shutil
import sys
import tempfile
import time
import warnings
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml
from killed_process import start_command
from mixed_batches import MODEL, deliver_all, move_alias, register_fussy
from rich.console import Console
from rich.progress import Progress
from row_accounting import faults_of
from torn_read_detector import Reader

from signature_gate.tasks.feed.feed import Feed
from signature_gate.tasks.storage.journal import CHECKPOINTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

MAX_ATTEMPTS = 5  # more often than one batch has its workers killed
_POLICY = {"on_mismatch": "split", "max_rejected": 0.5, "keep": ["key"]}
# Share of the time of an undisturbed feed within which workers are killed: long enough to reach the
# writes, short enough for several kills in each feed.
_SHARE = 0.7
# Exit codes of the command: passed, not passed, and broken, because one model raises.
_SOBER_ENDS = {0, 1, 3}


class Kill(NamedTuple):
    """When a worker is killed.

    Attributes:
        point: The checkpoint; None for a random instant.
        times: How often the checkpoint is reached; 1 for the first time.
    """

    point: str | None = None
    times: int = 1


@dataclass
class Toll:
    """The result of the kills.

    Attributes:
        kills: Counts by checkpoint; those at random instants under ``random instant``.
        batches: How many batches were delivered.
        rows: How many rows were delivered, without those that cannot be counted.
        looks: How often the reader listed the folders.
        files: How many files it read to their end.
        faults: What was lost, doubled, incomplete or left over.
        feeds: How many feeds were needed.
        seconds: The whole time.
    """

    kills: Counter[str] = field(default_factory=Counter[str])
    batches: int = 0
    rows: int = 0
    looks: int = 0
    files: int = 0
    faults: list[str] = field(default_factory=list[str])
    feeds: int = 0
    seconds: float = 0.0


class Ordeal:
    """A feed whose workers are killed."""

    def __init__(self, folder: Path, batches: int, archive: bool, luck: random.Random) -> None:
        """Fill a feed, and start the reader.

        Args:
            folder: The feed's folder.
            batches: How many batches it gets.
            archive: Whether scored batches leave the inbox.
            luck: Chooses the random instants.
        """
        self._luck = luck
        (folder / "feed" / "inbox").mkdir(parents=True)
        fields = {
            "name": "chaos",
            "model": f"models:/{MODEL}@champion",
            "root": str(folder / "feed"),
            "policy": _POLICY,
            "settle_seconds": 0,
            "backoff_seconds": 0,
            "max_attempts": MAX_ATTEMPTS,
            "archive": archive,
            "chunk_rows": 4,
        }
        self.feed = Feed.parse(fields)
        self._file = folder / "feed.yaml"
        self._file.write_text(yaml.safe_dump(fields))
        self._log = folder / "printed.txt"
        self.deliveries = deliver_all(self.feed, batches)
        self.reader = Reader(self.feed)
        self.reader.start()

    def run(self, kills: list[Kill], longest: float) -> list[bool]:
        """Let workers score the feed at the same time, each until it is killed.

        Args:
            kills: One for each worker.
            longest: Upper bound of the random instants, in seconds.

        Returns:
            For each whether it was killed; the others finished before.
        """
        workers = [self._start(kill.point or "never", kill.times) for kill in kills]
        began = time.monotonic()
        instants = [None if kill.point else self._luck.uniform(0, longest) for kill in kills]
        pairs = zip(workers, instants, strict=True)
        for worker, instant in sorted(pairs, key=lambda pair: pair[1] or longest):
            worker.join(None if instant is None else max(0, began + instant - time.monotonic()))
            worker.kill()
            worker.join()
        return [self._died(worker.exitcode) for worker in workers]

    def finish(self) -> float:
        """Let one worker after the other score the feed, until nothing is left to do.

        Returns:
            Seconds of the first worker.
        """
        began, first, known = time.monotonic(), None, -1
        while known != (known := len(list(self.feed.receipts.glob("*.json")))):
            worker = self._start("never", 1)
            worker.join()
            self._died(worker.exitcode)
            first = first or time.monotonic() - began
        return first or 0.0

    def close(self) -> list[str]:
        """Stop the reader, and compare what was delivered with what is there.

        Returns:
            One sentence for each fault; none if nothing was lost, doubled, incomplete or left over.
        """
        self.reader.stop()
        printed = self._log.read_text("utf-8", "replace") if self._log.exists() else ""
        crashed = [f"a worker broke down: {printed[-2000:]}"] if "Traceback" in printed else []
        return [*crashed, *self.reader.faults, *faults_of(self.feed, self.deliveries, MAX_ATTEMPTS)]

    def _start(self, point: str, times: int) -> Any:
        return start_command(["score", str(self._file)], self._log, point, times)

    def _died(self, code: int) -> bool:
        if code != -9 and code not in _SOBER_ENDS:
            self.reader.faults.append(f"a worker ended with exit code {code}")
        return code == -9


# ----- all of it -----


def unleash(
    folder: Path, kills: Iterable[Kill], batches: int, seed: int, told: Callable[[Toll], None]
) -> Toll:
    """Kill workers, feed after feed, until all kills are done.

    Args:
        folder: The folder of the feeds; a feed without faults is removed.
        kills: The kills. If a worker finishes before its kill, another worker gets it.
        batches: How many batches each feed gets.
        seed: Seed of the random choices.
        told: Called after each kill.

    Returns:
        The result.
    """
    luck, toll, began = random.Random(seed), Toll(), time.monotonic()  # noqa: S311 - no secret
    todo, archive = list(kills), cycle((False, True))
    longest = _undisturbed(folder / "calm", batches, toll)
    while todo:
        place = folder / f"feed-{toll.feeds}"
        ordeal = Ordeal(place, batches, next(archive), luck)
        for dealt in _dealt(ordeal, todo, longest * _SHARE, luck):
            toll.kills[dealt.point or "random instant"] += 1
            told(toll)
        ordeal.finish()
        _add(toll, ordeal, place)
    toll.seconds = time.monotonic() - began
    return toll


def _undisturbed(folder: Path, batches: int, toll: Toll) -> float:
    """Time two feeds without kills: the first worker waits for the fork server to start."""
    for number, count in enumerate((2, batches)):
        place = folder.with_name(f"{folder.name}-{number}")
        ordeal = Ordeal(place, count, archive=True, luck=random.Random(0))  # noqa: S311
        longest = ordeal.finish()
        _add(toll, ordeal, place)
    return longest


def _dealt(ordeal: Ordeal, todo: list[Kill], longest: float, luck: random.Random) -> Iterator[Kill]:
    while todo:
        together = todo[: luck.choice((1, 1, 2))]
        died = ordeal.run(together, longest)
        for kill, is_dead in zip(together, died, strict=True):
            if is_dead:
                todo.remove(kill)
                yield kill
        move_alias(luck.choice("12"))
        if not all(died):
            return


def _add(toll: Toll, ordeal: Ordeal, folder: Path) -> None:
    faults = ordeal.close()
    toll.feeds += 1
    toll.batches += len(ordeal.deliveries)
    toll.rows += sum(len(delivery.keys or ()) for delivery in ordeal.deliveries)
    toll.looks += ordeal.reader.looks
    toll.files += ordeal.reader.files
    toll.faults += [f"{folder}: {fault}" for fault in faults]
    if not faults:
        shutil.rmtree(folder)


def schedule(instants: int, times: Iterable[int], seed: int) -> list[Kill]:
    """Plan kills at random instants and at every checkpoint, in random order.

    Args:
        instants: How many random instants.
        times: Counts of how often a checkpoint is reached; each of them for each checkpoint.
        seed: Seed of the order.
    """
    at_points = [Kill(point, nth) for nth in times for point in CHECKPOINTS]
    kills = [*at_points, *(Kill() for _ in range(instants))]
    random.Random(seed).shuffle(kills)  # noqa: S311 - no secret
    return kills


def main(arguments: list[str]) -> int:
    """Kill, count and report.

    Args:
        arguments: Arguments of the program.

    Returns:
        0 if nothing was lost, else 1.
    """
    chosen = _options(arguments)
    kills = schedule(chosen.kills, (1, 2, 4, 8), chosen.seed)
    folder = Path(tempfile.mkdtemp(prefix="signature-gate-chaos-"))
    os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{folder}/mlflow.db"
    os.environ["TMPDIR"] = str(folder / "tmp")
    (folder / "tmp").mkdir()
    _prepare(folder)
    with _bar(len(kills)) as told:
        toll = unleash(folder, kills, chosen.batches, chosen.seed, told)
    _report(toll, chosen.seed)
    if not toll.faults:
        shutil.rmtree(folder)
    return 1 if toll.faults else 0


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="chaos", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--kills", type=int, default=300, help="at random instants")
    parser.add_argument("--batches", type=int, default=40, help="in each feed")
    parser.add_argument("--seed", type=int, default=0, help="for what is left to chance")
    return parser.parse_args(arguments)


def _prepare(folder: Path) -> None:
    import mlflow

    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.ERROR)
    mlflow.create_experiment("chaos", artifact_location=str(folder / "artifacts"))
    mlflow.set_experiment("chaos")
    with warnings.catch_warnings(action="ignore"):
        register_fussy()


@contextmanager
def _bar(total: int) -> Iterator[Callable[[Toll], None]]:
    with Progress(console=Console(stderr=True), disable=not sys.stderr.isatty()) as progress:
        bar = progress.add_task("killing", total=total)
        yield lambda toll: progress.update(bar, completed=toll.kills.total())


def _report(toll: Toll, seed: int) -> None:
    console = Console(highlight=False)
    points = ", ".join(f"{point} {n}" for point, n in sorted(toll.kills.items()))
    console.print(f"kills    {toll.kills.total()} ({points})")
    console.print(f"feeds    {toll.feeds} with {toll.batches:,} batches, {toll.rows:,} rows")
    console.print(f"reader   {toll.files:,} files read whole, in {toll.looks:,} looks")
    console.print(f"time     {toll.seconds:.0f} s, seed {seed}")
    console.print(f"losses   {len(toll.faults) or 'none'}")
    for fault in toll.faults:
        console.print(f"  {fault}", markup=False)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
