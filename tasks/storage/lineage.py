"""Events of OpenLineage, a run for each receipt, where its client is configured; else nothing."""

from __future__ import annotations

import logging
import os
import time
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...expectations.credentials import mask_uri, masked
from ...expectations.errors import needs_extra
from ...expectations.stores.objects import is_object_url
from ...expectations.verdict.verdict import GATE_VERSION

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...expectations.verdict.verdict import Verdict
    from ..feed.feed import Feed
    from ..feed.receipt import Receipt

_log = logging.getLogger("signature_gate.lineage")
# A server that does not answer would hold up every batch.
_PAUSE = 60.0
_paused_until = 0.0


def tell_lineage(feed: Feed, receipt: Receipt) -> None:
    """Emit the start and the end of an attempt, once its receipt is published; never fail it."""
    global _paused_until  # noqa: PLW0603 - one for the process, as the client is
    if not is_configured() or time.monotonic() < _paused_until:
        return
    try:
        with needs_extra("openlineage"):
            for event in _events(feed, receipt):
                _client().emit(event)
    except Exception as error:  # noqa: BLE001 - see above
        _paused_until = time.monotonic() + _PAUSE
        _log.warning("lineage is not told, nor for the next minute: %s", masked(str(error)))


def is_configured() -> bool:
    """Tell whether the client would find a transport: in the environment, or in its file."""
    if os.environ.get("OPENLINEAGE_DISABLED", "").strip().lower() == "true":
        return False
    named = (key in ("OPENLINEAGE_URL", "OPENLINEAGE_CONFIG") for key in os.environ)
    if any(named) or any(key.startswith("OPENLINEAGE__TRANSPORT") for key in os.environ):
        return True
    files = (Path("openlineage.yml"), Path("~/.openlineage/openlineage.yml").expanduser())
    return any(file.is_file() for file in files)


@cache
def _client() -> Any:
    from openlineage.client import OpenLineageClient

    return OpenLineageClient()


def _events(feed: Feed, receipt: Receipt) -> Iterator[Any]:
    from openlineage.client.event_v2 import Job, Run, RunEvent, RunState
    from openlineage.client.facet_v2 import error_message_run
    from openlineage.client.uuid import generate_static_uuid

    attempt = f"{feed.name}/{receipt.file}".encode()
    failed = receipt.disposition in ("errored", "failed")
    said = receipt.error.kind if receipt.error else "BatchRejected"
    facets: dict[str, Any] = {
        "errorMessage": error_message_run.ErrorMessageRunFacet(said, "PYTHON")
    }
    ended: dict[str, Any] = {
        "eventType": RunState.FAIL if failed else RunState.COMPLETE,
        "inputs": _inputs(receipt),
        "outputs": _outputs(feed, receipt),
    }
    started: dict[str, Any] = {"eventType": RunState.START}
    for told, at in ((started, receipt.started), (ended, receipt.finished)):
        yield RunEvent(
            eventTime=at.isoformat(),
            run=Run(
                runId=str(generate_static_uuid(receipt.started, attempt)),
                facets=facets if failed and told is ended else {},
            ),
            job=Job(os.environ.get("OPENLINEAGE_NAMESPACE", "signature-gate"), feed.name),
            producer=f"urn:signature-gate:{GATE_VERSION}",
            **told,
        )


def _named(uri: str) -> dict[str, Any]:
    """Split an address as OpenLineage names datasets: where it lies, and what it is there."""
    # In a store the names of entries have an `@`, which ends no password.
    is_plain = is_object_url(uri) and "@" not in uri.split("/")[2]
    scheme, _, rest = (uri if is_plain else mask_uri(uri)).partition("://")
    if uri.startswith("/") or not rest:
        return {"namespace": "file", "name": uri}
    place, _, name = rest.partition("/")
    return {"namespace": f"{scheme}://{place}", "name": name}


def _inputs(receipt: Receipt) -> list[Any]:
    from openlineage.client.event_v2 import InputDataset
    from openlineage.client.facet_v2 import data_quality_assertions_dataset as assertions
    from openlineage.client.facet_v2 import data_quality_metrics_input_dataset as metrics
    from openlineage.client.facet_v2 import schema_dataset as schema

    batch = receipt.batch
    nulls = {c: metrics.ColumnMetrics(nullCount=n) for c, n in batch.null_counts.items()}
    fields = [schema.SchemaDatasetFacetFields(name, kind) for name, kind in batch.columns]
    quality: dict[str, Any] = {
        "dataQualityMetrics": metrics.DataQualityMetricsInputDatasetFacet(
            nulls, rowCount=batch.rows, bytes=batch.bytes, fileCount=batch.files
        )
    }
    if receipt.verdict:
        quality["dataQualityAssertions"] = assertions.DataQualityAssertionsDatasetFacet(
            [assertions.Assertion(**stated) for stated in _assertions(receipt.verdict)]
        )
    arrived = InputDataset(
        **_named(batch.uri or batch.name),
        facets={"schema": schema.SchemaDatasetFacet(fields)},
        inputFacets=quality,
    )
    return [arrived, InputDataset(namespace="mlflow", name=receipt.model.pinned)]


def _assertions(verdict: Verdict) -> Iterator[dict[str, Any]]:
    """Say what was demanded and kept: the signature as a whole, each violation, each rule."""
    words = {"critical": "error", "warning": "warn", "info": "warn"}
    yield {"assertion": "fits_signature", "success": verdict.passed, "severity": "error"}
    for one in verdict.violations:
        if one.kind != "rule":
            found = {} if one.count is None else {"actual": f"{one.count} rows"}
            about = {"column": one.column, "severity": words[one.severity], **found}
            yield {"assertion": one.kind, "success": False, **about}
    for rule in verdict.rules:
        if rule.success is not None:
            stated = rule.expectation
            about = {"column": stated["kwargs"].get("column"), "success": rule.success}
            severity = words[stated.get("severity") or "critical"]
            yield {"assertion": stated["type"], **about, "severity": severity}


def _outputs(feed: Feed, receipt: Receipt) -> list[Any]:
    from openlineage.client.event_v2 import OutputDataset
    from openlineage.client.facet_v2 import output_statistics_output_dataset as statistics

    made = receipt.outputs
    rows = {made.predictions: made.scored, made.quarantine: made.rejected}
    counted = statistics.OutputStatisticsOutputDatasetFacet
    return [
        OutputDataset(
            **_named(feed.address(feed.resolve(place))),
            outputFacets={"outputStatistics": counted(rowCount=count)},
        )
        for place, count in rows.items()
        if place
    ]
