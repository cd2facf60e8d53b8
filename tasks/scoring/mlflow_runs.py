"""What a run did for a feed, as a run of MLflow: where the model's owners look.

Off unless the feed names an experiment. A tracking server that is away, slow or refuses never keeps
a batch from being scored: what it would have been told is told in the log.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from ...expectations.escaping import slug, visible
from ...expectations.registry.retry import (
    DeadlineExceeded,
    call_within,
    describe_error,
    resolve_timeout,
)

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from ..feed.feed import Feed
    from ..feed.receipt import Receipt
    from ..feed.run_summary import RunSummary

_log = logging.getLogger("signature_gate.tracking")

# A run page with more of them helps nobody; all of them are in the receipts.
_DATASETS = 100
_REPORTS = 20
# Without it MLflow's pages guess whether an experiment is about language models.
_KIND = {"mlflow.experimentKind": "custom_model_development"}
_WORST_FIRST = ("errored", "failed", "quarantined", "split", "passed")


def track_run(feed: Feed, summary: RunSummary, timeout: float | None = None) -> str | None:
    """Log what a run did as one run of MLflow, linked to the model version; return its id.

    Metrics are rows, rejected share and seconds; tags are the feed, the model and the kinds of
    violation; artifacts are the reports, the worst first; dataset inputs are the batches. None if
    the feed names no experiment, there was nothing to log, or nobody to take it in time.
    """
    if feed.experiment is None or not summary.receipts:
        return None
    try:
        return call_within(
            lambda: _logged(str(feed.experiment), summary), resolve_timeout(timeout), _at_once
        )
    except DeadlineExceeded as error:
        _log.warning(
            "the run is not logged in MLflow's experiment %s: %s. Nothing else depends on it.",
            visible(feed.experiment),
            describe_error(error.last),
        )
        return None


def _at_once(_: Exception) -> bool:
    # A second try could log the same run twice.
    return True


def _logged(experiment: str, summary: RunSummary) -> str:
    from mlflow import MlflowClient

    client = MlflowClient()
    known = client.get_experiment_by_name(experiment)
    home = known.experiment_id if known else client.create_experiment(experiment, tags=_KIND)
    started = min(receipt.started for receipt in summary.receipts)
    run = client.create_run(home, int(started.timestamp() * 1000), _tags(summary), summary.feed)
    run_id = str(run.info.run_id)
    status = "FAILED"
    try:
        _fill(client, run_id, summary)
        status = "FAILED" if summary.of("errored", "failed") else "FINISHED"
    finally:
        client.set_terminated(run_id, status)
    return run_id


def _fill(client: MlflowClient, run_id: str, summary: RunSummary) -> None:
    from mlflow.entities import LoggedModelInput, Metric

    ended = max(receipt.finished for receipt in summary.receipts)
    stamp = int(ended.timestamp() * 1000)
    measured = _metrics(summary)
    client.log_batch(run_id, [Metric(name, value, stamp, 0) for name, value in measured.items()])
    models = sorted({r.model.model_id for r in summary.receipts if r.model.model_id})
    datasets = [_dataset(receipt) for receipt in summary.receipts[:_DATASETS]]
    client.log_inputs(run_id, datasets, [LoggedModelInput(model_id) for model_id in models])
    _log_reports(client, run_id, summary)


def _metrics(summary: RunSummary) -> dict[str, float]:
    receipts = summary.receipts
    ended, started = max(r.finished for r in receipts), min(r.started for r in receipts)
    return {
        "batches": len(receipts),
        **{f"batches_{kind}": len(summary.of(kind)) for kind in _WORST_FIRST if summary.of(kind)},
        "rows": summary.rows_in,
        "rows_scored": summary.rows_scored,
        "rows_rejected": summary.rows_rejected,
        "rejected_share": summary.rows_rejected / summary.rows_in if summary.rows_in else 0.0,
        "seconds": (ended - started).total_seconds(),
    }


def _tags(summary: RunSummary) -> dict[str, str]:
    kinds = {v.kind for r in summary.receipts if r.verdict for v in r.verdict.violations}
    worst = next(kind for kind in (*_WORST_FIRST, "discarded") if summary.of(kind))
    models = sorted({receipt.model.pinned for receipt in summary.receipts})
    return {
        "signature_gate.feed": summary.feed,
        "signature_gate.model": ", ".join(models),
        "signature_gate.disposition": worst,
        "signature_gate.kinds": ", ".join(sorted(kinds)) or "none",
        "mlflow.source.name": "signature-gate",
    }


def _dataset(receipt: Receipt) -> Any:
    from mlflow.entities import Dataset, DatasetInput, InputTag

    batch = receipt.batch
    arrived = Dataset(
        name=slug(batch.name),
        digest=batch.id.rpartition("-")[2],
        source_type="local",
        source=json.dumps({"uri": batch.uri}),
        profile=json.dumps({"num_rows": batch.rows, "bytes": batch.bytes}),
    )
    tags = [InputTag("mlflow.data.context", "scoring")]
    return DatasetInput(arrived, [*tags, InputTag("disposition", receipt.disposition)])


def _log_reports(client: MlflowClient, run_id: str, summary: RunSummary) -> None:
    from ...expectations.report.batch_report import Surroundings, write_report

    ranked = sorted(summary.receipts, key=_rank)
    with TemporaryDirectory() as folder:
        for receipt in [r for r in ranked if r.verdict][:_REPORTS]:
            if receipt.verdict:
                around = Surroundings(judged=receipt.finished, feed=receipt.feed)
                write_report(Path(folder) / f"{receipt.batch.id}.html", receipt.verdict, (), around)
        client.log_artifacts(run_id, folder, "reports")


def _rank(receipt: Receipt) -> int:
    listed = receipt.disposition in _WORST_FIRST
    return _WORST_FIRST.index(receipt.disposition) if listed else len(_WORST_FIRST)
