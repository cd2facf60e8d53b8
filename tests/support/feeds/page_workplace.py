"""What README.md and the pages of docs/how-to/ take for granted: a model, a feed, a batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml

if TYPE_CHECKING:
    from pathlib import Path

    from tutorial_models import Tutorial

FEED = {"name": "flights", "model": "models:/flights@champion", "root": "flights"}


@pytest.fixture
def flights(house_price: Tutorial) -> Tutorial:
    """Register ``flights`` with a champion and a challenger."""
    import mlflow

    client = mlflow.MlflowClient()
    try:
        client.get_model_version_by_alias("flights", "champion")
    except mlflow.MlflowException:
        client.create_registered_model("flights")
        client.create_model_version("flights", f"models:/{house_price.model_id}")
        client.create_model_version("flights", f"models:/{house_price.model_id}")
        client.set_registered_model_alias("flights", "champion", "1")
        client.set_registered_model_alias("flights", "challenger", "2")
    return house_price


@pytest.fixture
def workplace(flights: Tutorial, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in a folder with ``feeds/flights.yaml``, a batch in its inbox, and the same batch."""
    inbox = tmp_path / "feeds" / "flights" / "inbox"
    inbox.mkdir(parents=True)
    frame = flights.batch.assign(carrier="UA", flight=1)
    frame.to_csv(inbox / "2013-07-12.csv", index=False)
    frame.to_csv(tmp_path / "2013-07-12.csv", index=False)
    fields = {**FEED, "settle_seconds": 0, "policy": {"keep": ["carrier", "flight"]}}
    (tmp_path / "feeds" / "flights.yaml").write_text(yaml.safe_dump(fields), "utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path
