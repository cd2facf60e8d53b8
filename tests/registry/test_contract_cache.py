"""Contracts that are kept: which, for how long, and that nothing is scored by one."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import time
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest
from feeds import deliver, rows
from hypothesis import given
from strategies import contracts

from signature_gate.expectations.contract.contract import Contract
from signature_gate.expectations.contract.model_version import ModelVersion
from signature_gate.expectations.errors import ContractChanged
from signature_gate.expectations.registry import client, contract_cache
from signature_gate.expectations.registry.client import load_contract, load_model
from signature_gate.expectations.registry.connection import ask_registry
from signature_gate.tasks.scoring.feed_run import score_feed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from signature_gate.tasks.feed.feed import Feed

AWAY = "https://user:s3cret@127.0.0.1:9"  # nobody answers there
FOUND = ModelVersion(uri="models:/m/1", pinned="models:/m/1", name="m", version="1")
OLD = Contract.from_signature({"inputs": '[{"type": "long", "name": "n"}]'}, FOUND)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, switched on."""
    monkeypatch.delenv("SIGNATURE_GATE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "signature-gate" / "contracts"


@pytest.fixture
def away(monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of a registry that does not answer."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", AWAY)
    return AWAY


@given(contract=contracts())
def test_a_kept_contract_is_the_one_that_was_read(contract: Contract) -> None:
    """Whatever the signature, what comes back equals what the registry gave."""
    with pytest.MonkeyPatch.context() as patch, TemporaryDirectory() as home:
        patch.delenv("SIGNATURE_GATE_CACHE")
        patch.setenv("XDG_CACHE_HOME", home)
        patch.setenv("MLFLOW_TRACKING_URI", AWAY)
        pinned = contract.pinned_to(FOUND)
        contract_cache.keep_contract(pinned)
        assert contract_cache.kept_contract("models:/m/1") == pinned


def test_a_version_is_asked_for_once(
    cache: Path, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Read once under any name, a version named by its number needs no registry; other names do."""
    asked = list[str]()
    monkeypatch.setattr(
        client, "ask_registry", lambda u, *rest: asked.append(u) or ask_registry(u, *rest)
    )
    read = load_contract(line, or_kept=True)

    kept = load_contract("models:/line/1", or_kept=True)
    assert asked == [line]
    assert kept.pinned_to(FOUND) == read.pinned_to(FOUND)
    assert kept.model == load_contract("models:/line/1").model
    for uri in (line, "models:/line/latest", "models:/line/1"):
        load_contract(uri, or_kept=uri != "models:/line/1")
    assert asked[2:] == [line, "models:/line/latest", "models:/line/1"]


def test_check_judges_by_a_kept_contract_without_mlflow(
    cache: Path, away: str, tmp_path: Path
) -> None:
    """The command imports neither MLflow nor SQLAlchemy, and gives the verdict of the version."""
    contract_cache.keep_contract(OLD)
    (tmp_path / "b.csv").write_text("n\n1\n2.5\n")
    program = (
        "import sys; from signature_gate.flows.cli.main import main\n"
        "try: main()\nfinally: print({'mlflow', 'sqlalchemy'} & sys.modules.keys())"
    )
    command = [sys.executable, "-c", program, "check", "models:/m/1", str(tmp_path / "b.csv")]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    assert answer.returncode == 1, answer.stderr
    assert f"models:/m/1  (signature {OLD.fingerprint})" in answer.stdout
    assert answer.stdout.endswith("set()\n")


@pytest.mark.parametrize(
    "undone",
    ["off", "other registry", "other tracking", "old", "corrupt", "edited", "other format"],
)
def test_what_may_be_another_contract_is_not_used(
    cache: Path, away: str, undone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With another address, after a day, or not as it was written, it counts as not there."""
    contract_cache.keep_contract(OLD)
    (file,) = cache.iterdir()
    assert contract_cache.kept_contract("models:/m/1") == OLD
    yesterday = time.time() - 86_401
    {
        "off": lambda: monkeypatch.setenv("SIGNATURE_GATE_CACHE", "off"),
        "other registry": lambda: monkeypatch.setenv("MLFLOW_REGISTRY_URI", "http://127.0.0.1:8"),
        "other tracking": lambda: monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:8"),
        "old": lambda: os.utime(file, (yesterday, yesterday)),
        "corrupt": lambda: file.write_bytes(file.read_bytes()[:-9]),
        "edited": lambda: file.write_text(file.read_text().replace("long", "double")),
        "other format": lambda: file.write_text("[]"),
    }[undone]()
    assert contract_cache.kept_contract("models:/m/1") is None


def test_a_cache_holds_no_secret_and_is_nobody_elses(cache: Path, away: str) -> None:
    """Neither name nor content has the address, and only the user may read it."""
    contract_cache.keep_contract(OLD)
    (file,) = cache.iterdir()
    assert "s3cret" not in file.read_text() + file.name
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_place_that_takes_nothing_stops_nothing(cache: Path, away: str) -> None:
    """Where the cache cannot be written contracts are read each time."""
    cache.parent.parent.joinpath("signature-gate").write_text("in the way")
    contract_cache.keep_contract(OLD)
    assert contract_cache.kept_contract("models:/m/1") is None


def test_a_registry_in_a_file_is_asked_again_after_any_change(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database that was made anew may have another model under the same number."""
    database = tmp_path / "mlflow.db"
    database.write_bytes(b"1")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{database}")
    contract_cache.keep_contract(OLD)
    assert contract_cache.kept_contract("models:/m/1") == OLD
    database.write_bytes(b"22")
    assert contract_cache.kept_contract("models:/m/1") is None
    contract_cache.keep_contract(OLD)
    assert contract_cache.kept_contract("models:/m/1") == OLD
    assert len([*cache.iterdir()]) == 1, "what a change made useless is not left behind"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", str(tmp_path))
    contract_cache.keep_contract(OLD)
    assert contract_cache.kept_contract("models:/m/1") is None


def test_nothing_is_scored_by_a_kept_contract(
    cache: Path, line: str, make_feed: Callable[..., Feed]
) -> None:
    """A feed reads its version itself, and what it read takes the place of what was kept."""
    read = load_contract("models:/line/1")
    assert read.model
    stale = OLD.pinned_to(read.model)
    contract_cache.keep_contract(stale)
    assert load_contract("models:/line/1", or_kept=True) == stale

    feed = make_feed(model="models:/line/1")
    deliver(feed, "good.parquet", rows(3))
    (receipt,) = score_feed(feed).receipts
    assert (receipt.disposition, receipt.contract) == ("passed", read.fingerprint)
    assert load_contract("models:/line/1", or_kept=True) == read


def test_what_is_loaded_takes_the_place_of_what_was_kept(cache: Path, line: str) -> None:
    """Its signature is compared with the one that judged; after a mismatch the true one is kept."""
    read = load_contract("models:/line/1")
    assert read.model
    contract_cache.keep_contract(OLD.pinned_to(read.model))
    with pytest.raises(ContractChanged):
        load_model(read.model, OLD.fingerprint)
    assert contract_cache.kept_contract("models:/line/1") == read
