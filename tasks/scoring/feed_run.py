"""All batches of a feed, each from the inbox to its receipt; no Prefect needed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from ...expectations.fan_out.call import Call
from ...expectations.fan_out.workers import workers_of
from ...expectations.registry.connection import addresses, use_addresses
from ..feed.feed import Feed
from ..feed.inbox import SkippedBatch
from ..feed.receipt import Receipt
from ..storage.intent import Intent
from .evidence import RUN_PAGE
from .mlflow_runs import track_run
from .one_batch import record_failure, score_in_any_case
from .past_values import baseline_of
from .selection import keep_due, select_candidates

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from ...expectations.fan_out.workers import Workers
    from ..feed.run_summary import RunSummary
    from .selection import Candidate


@dataclass(frozen=True)
class Progress:
    """How far a run has come: when a batch begins, after each scored piece, and at its end.

    Attributes:
        batch: The batch's path from the inbox.
        position: Its number in this run, from 1.
        batches: How many batches this run attempts.
        scored: Rows of it that are scored so far.
        rows: Rows of it that are to be scored; None where that is not known yet, or no more.
        outcome: What became of it; None while it is under way.
    """

    batch: str
    position: int
    batches: int
    scored: int = 0
    rows: int | None = None
    outcome: Receipt | SkippedBatch | None = None


def score_feed(
    feed: Feed | str | Path,
    *,
    again: bool = False,
    timeout: float | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    workers: Any = None,
) -> RunSummary:
    """Judge and score every batch of a feed that is ready.

    The model's alias is resolved once. One batch's error never stops the others.

    Args:
        feed: The feed, or the path of its YAML file.
        again: Whether to score what is done under another version, and what is parked or waits.
        timeout: Seconds to go on trying while the registry does not answer.
        on_progress: Called at each step of the run.
        workers: Who scores batches at a time, as for ``check``; by default the feed's ``workers``.

    Returns:
        What became of each batch.

    Raises:
        InvalidFeed: The feed file, or one of its folders, is not as it should be.
        ModelNotFound: The registry knows no such model, version or alias.
        NoContract: The model's signature decides nothing; no batch is touched.
        RegistryUnavailable: No answer within the timeout; no batch is touched.
        OSError: The feed's folders cannot be read or written.
    """
    feed = feed if isinstance(feed, Feed) else Feed.load(feed)
    who = workers_of(feed.workers if workers is None else workers)
    found = select_candidates(feed, again=again)
    if not found.candidates:
        return found.summary(feed)
    intent = current_intent(feed, timeout)
    due = keep_due(feed, found, intent.version, again=again)
    score = _at_once if who else _in_turn
    outcomes = score(_Run(feed, intent, again, who), due.candidates, on_progress)
    track_run(feed, summary := due.summary(feed, intent.model, outcomes), timeout)
    return summary


class _Run(NamedTuple):
    feed: Feed
    intent: Intent
    again: bool
    workers: Workers | None


def _in_turn(
    run: _Run, candidates: Sequence[Candidate], on_progress: Callable[[Progress], None] | None
) -> list[Receipt | SkippedBatch]:
    outcomes = list[Receipt | SkippedBatch]()
    for position, candidate in enumerate(candidates, 1):
        reporter = _Reporter(candidate.batch.path, position, len(candidates), on_progress)
        reporter.report()
        outcome = score_in_any_case(
            run.feed, run.intent, candidate, again=run.again, watch=reporter.report
        )
        reporter.end(outcome)
        outcomes.append(outcome)
    return outcomes


def _at_once(
    run: _Run, candidates: Sequence[Candidate], on_progress: Callable[[Progress], None] | None
) -> list[Receipt | SkippedBatch]:
    assert run.workers is not None  # noqa: S101 - else they are scored in turn
    found = dict[int, Receipt | SkippedBatch]()
    scored = score_at_once(run.feed, run.intent, candidates, run.workers, again=run.again)
    for number, outcome in scored:
        found[number] = outcome
        path = candidates[number].batch.path
        _Reporter(path, len(found), len(candidates), on_progress).end(outcome)
    return [found[number] for number in range(len(candidates))]


class _Sweep(NamedTuple):
    feed: Feed
    intent: Intent
    again: bool
    registry: tuple[str, str]
    page: str | None


def score_at_once(
    feed: Feed, intent: Intent, candidates: Sequence[Candidate], workers: Workers, *, again: bool
) -> Iterator[tuple[int, Receipt | SkippedBatch]]:
    """Have workers score batches; yield what became of each, by its number, as it is known."""
    alone = feed.model_copy(update={"workers": None})
    sweep = _Sweep(alone, intent, again, addresses(), RUN_PAGE.get())
    for number, outcome in workers.done(Call(partial(_score_there, sweep), candidates)):
        if isinstance(outcome, BaseException):
            yield number, record_failure(feed, intent, candidates[number], outcome)
        else:
            yield number, outcome


def _score_there(sweep: _Sweep, candidate: Candidate) -> Receipt | SkippedBatch:
    use_addresses(*sweep.registry)
    RUN_PAGE.set(sweep.page)
    return score_in_any_case(sweep.feed, sweep.intent, candidate, again=sweep.again)


def current_intent(feed: Feed, timeout: float | None = None) -> Intent:
    """Resolve the feed's model, once for a whole run, into what each fresh attempt is bound to.

    Raises:
        Misuse: The URI names a contract without a model, or the params are not the model's.
        ModelNotFound: The registry knows no such model, version or alias.
        NoContract: The model's signature decides nothing.
        RegistryUnavailable: No answer within the timeout.
    """
    from ...expectations.registry.client import load_contract

    intent = Intent.to_score(feed, load_contract(feed.model, timeout))
    return intent.model_copy(update={"past": baseline_of(feed, intent)})


@dataclass
class _Reporter:
    batch: str
    position: int
    batches: int
    listener: Callable[[Progress], None] | None

    def report(
        self,
        scored: int = 0,
        rows: int | None = None,
        outcome: Receipt | SkippedBatch | None = None,
    ) -> None:
        if self.listener:
            self.listener(Progress(self.batch, self.position, self.batches, scored, rows, outcome))

    def end(self, outcome: Receipt | SkippedBatch) -> None:
        """Report what became of the batch."""
        rows = outcome.outputs.scored if isinstance(outcome, Receipt) else 0
        self.report(rows, outcome=outcome)
