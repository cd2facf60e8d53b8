"""A feed's predictions as an asset of Prefect: made of what arrived and of a model's version."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from prefect import get_run_logger
from prefect.assets import Asset, AssetProperties, add_asset_metadata, materialize

from .options import TASK

if TYPE_CHECKING:
    from ..feed.feed import Feed
    from ..feed.run_summary import RunSummary

# Prefect takes neither blanks nor most punctuation, and no escapes with %.
_UNFIT = re.compile(r"[^\w./:@~+=,;-]")


@materialize("file://scored", by="signature-gate", **TASK)
def record_predictions(key: str, facts: dict[str, Any]) -> None:
    """Record what a run has added to the predictions that an asset stands for."""
    add_asset_metadata(key, facts)


def record_asset(feed: Feed, summary: RunSummary) -> None:
    """Record as a materialization that a run has published predictions; no run fails for it."""
    if not any(receipt.outputs.predictions for receipt in summary.receipts):
        return
    try:
        places = {name: feed.address(path) for name, path in feed.folder_paths().items()}
        uris = {name: at if feed.url else f"file://{at}" for name, at in places.items()}
        made = _asset(uris["scored"], f"predictions of {feed.name}")
        arrived = _asset(uris["inbox"], f"batches of {feed.name}")
        models = sorted({receipt.model.pinned for receipt in summary.receipts})
        used = [_asset(f"mlflow://{model.replace(':/', '/', 1)}", model) for model in models]
        task = record_predictions.with_options(assets=[made], asset_deps=[arrived, *used])
        task(made.key, _facts(summary))
    except Exception as error:  # noqa: BLE001 - see above
        get_run_logger().warning("no asset is recorded: %s", type(error).__name__)


def _asset(uri: str, name: str) -> Asset:
    return Asset(key=_UNFIT.sub("_", uri), properties=AssetProperties(name=name))


def _facts(summary: RunSummary) -> dict[str, Any]:
    return {
        "batches": len(summary.receipts),
        "rows": summary.rows_in,
        "scored": summary.rows_scored,
        "rejected": summary.rows_rejected,
        "rejected_share": summary.rows_rejected / summary.rows_in if summary.rows_in else 0.0,
    }
