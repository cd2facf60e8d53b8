"""The pages of docs/how-to/ do what they say, and no command in docs/ is left without a test."""

from __future__ import annotations

import os
import re
import shutil
import signal
import sqlite3
import subprocess
from contextlib import closing
from typing import TYPE_CHECKING

import pandas as pd
import polars as pl
import pytest
import yaml
from deltalake import write_deltalake
from installed_sizes import LIBRARIES
from page_commands import DOCS, blocks_in, commands_in, follow
from pyiceberg.catalog.sql import SqlCatalog
from repository import ROOT

from signature_gate.tasks.feed.feed import Feed
from signature_gate.tasks.feed.receipt_store import ReceiptStore

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Execute = Callable[..., str]

pytest_plugins = ["page_commands", "page_workplace"]
OLD_RECEIPTS = ROOT / "tests" / "support" / "feeds" / "receipts_0_1"
# Each page of docs/ that has commands or snippets, and the file of tests that runs them.
RUN_BY = {
    "how-to/airflow.md": "standards/test_orchestrators.py",
    "how-to/ci.md": "project/test_how_to.py",
    "how-to/dagster.md": "standards/test_orchestrators.py",
    "how-to/databases.md": "project/test_how_to.py",
    "how-to/etl.md": "project/test_how_to.py",
    "how-to/events.md": "project/test_how_to_on_servers.py",
    "how-to/lake-tables.md": "project/test_how_to.py",
    "how-to/mlflow-auth.md": "project/test_how_to_run_servers.py",
    "how-to/nfs.md": "project/test_how_to.py",
    "how-to/notifications.md": "project/test_how_to_on_servers.py",
    "how-to/object-stores.md": "stores/test_object_stores_page.py",
    "how-to/postgres.md": "project/test_how_to_run_servers.py",
    "how-to/spark.md": "spark/test_spark_page.py",
    "how-to/standards.md": "standards/test_page.py",
    "how-to/upgrade.md": "project/test_how_to.py",
    "index.md": "project/test_how_to.py",
    "install.md": "project/test_how_to.py",
    "platform.md": "flows/test_end_to_end.py",
    "restore.md": "retention/test_pages.py",
    "scaling.md": "fan_out/test_scaling_page.py",
    "tutorial.md": "flows/test_own_data.py",
    "values.md": "values/test_values_page.py",
    "years.md": "retention/test_pages.py",
}


def test_each_page_with_commands_is_run_by_a_test() -> None:
    """A page that is added with commands or snippets needs a test that runs them."""
    pages = {
        str(page.relative_to(DOCS))
        for page in DOCS.rglob("*.md")
        if any(b.language in {"bash", "python"} for b in blocks_in(str(page.relative_to(DOCS))))
    }

    assert pages == RUN_BY.keys()
    for page, tests in RUN_BY.items():
        assert page.rpartition("/")[2] in (ROOT / "tests" / tests).read_text("utf-8")


def test_the_first_page_judges_and_scores(workplace: Path, execute: Execute) -> None:
    """index.md: both commands do what it says of them, and a second run does nothing."""
    follow("index.md", execute)
    scored = set((workplace / "feeds" / "flights" / "scored").rglob("*.parquet"))
    receipts = set((workplace / "feeds" / "flights" / "receipts").glob("*.json"))

    follow("index.md", execute)

    assert len(scored) == len(receipts) == 1
    assert set((workplace / "feeds" / "flights" / "receipts").glob("*.json")) == receipts


def test_the_installation_can_be_looked_at(workplace: Path, execute: Execute) -> None:
    """install.md: what is installed has a version and finds what it needs."""
    assert "registry" in follow("install.md", execute)


def test_the_page_says_what_each_library_is_for() -> None:
    """install.md: the table is the one of make sizes, but for figures of another machine."""
    rows = re.findall(r"^\| `(.+)` \| (.+) \| \d+ \| \d+\.\d \|$", _install(), re.MULTILINE)

    assert rows == [(library.name, library.use) for library in LIBRARIES]


def _install() -> str:
    return (DOCS / "install.md").read_text("utf-8")


@pytest.mark.usefixtures("prefect_server")
def test_a_batch_is_gated_in_a_pipeline(workplace: Path, execute: Execute) -> None:
    """etl.md: the snippets run, the flow's included, and the command passes the batch."""
    printed = follow("how-to/etl.md", execute)

    assert printed.startswith("passed  2013-07-12.csv")
    assert (workplace / "report.html").is_file()


def test_a_query_of_a_database_is_judged(
    workplace: Path, execute: Execute, capsys: pytest.CaptureFixture[str]
) -> None:
    """databases.md: the snippets and the commands run on a database of the batch."""
    batch = pd.read_csv("2013-07-12.csv")
    with closing(sqlite3.connect("flights.db")) as database:
        batch.to_sql("flights", database, index=False)

    def act(command: str) -> str:
        return execute(command, *([1] if "score feeds/tabled" in command else []))

    printed = follow("how-to/databases.md", act)

    assert "passed  query" in printed
    assert "unparseable in 'sqft'" in capsys.readouterr().out


def test_a_sample_and_a_model_are_checked_in_ci(workplace: Path, execute: Execute) -> None:
    """ci.md: the commands succeed for what fits; the workflow names a command of the page."""
    execute("signature-gate score feeds/flights.yaml")

    follow("how-to/ci.md", execute)

    workflow = yaml.safe_load((workplace / ".github/workflows/contract.yaml").read_text("utf-8"))
    steps = [step.get("run", "") for step in workflow["jobs"]["sample"]["steps"]]
    sample = "signature-gate check suite.json 2013-07-12.csv --report report.html"
    assert sample in commands_in("how-to/ci.md")
    in_ci = sample.replace("2013-07-12.csv", "samples/flights.csv")
    assert f"{in_ci} --format github" in steps


def test_tables_of_a_lake_are_checked(
    workplace: Path, execute: Execute, monkeypatch: pytest.MonkeyPatch
) -> None:
    """lake-tables.md: both tables pass as the batch that was written to them does."""
    rows = pl.read_csv("2013-07-12.csv", try_parse_dates=True).to_arrow()
    write_deltalake("lake/flights", rows)
    place = {"uri": f"sqlite:///{workplace}/lake.db", "warehouse": f"file://{workplace}/lake"}
    for key, value in {"type": "sql", **place}.items():
        monkeypatch.setenv(f"PYICEBERG_CATALOG__PROD__{key.upper()}", value)
    with SqlCatalog("prod", **place) as catalog:
        catalog.create_namespace("sales")
        catalog.create_table("sales.flights", rows.schema).append(rows)
    with closing(sqlite3.connect("feeds/flights.db")) as database:
        loaded = pd.read_csv("2013-07-12.csv").assign(loaded_at="2013-07-13 04:00")
        loaded.to_sql("flights", database, index=False)

    printed = follow("how-to/lake-tables.md", execute)

    assert printed.count("passed  flights@0") == 2
    assert printed.count("passed  sales.flights@") == 1
    assert "flights-00000000-start_to_2013-07-13-04-00.parquet" in printed
    assert pl.read_parquet("good.parquet").height == rows.num_rows


def test_a_shared_disk_is_probed_for_locks(workplace: Path, execute: Execute) -> None:
    """nfs.md: of the two commands, the second finds what the first one holds."""
    follow("how-to/nfs.md", execute)
    (workplace / "probe").touch()
    hold, ask = (
        block.text.removeprefix("$ ").replace("/mnt/feeds", str(workplace)).strip()
        for block in blocks_in("how-to/nfs.md")
        if block.language == "console"
    )
    assert execute(ask) == ""

    # The shell would leave flock and its command behind when it is killed.
    with subprocess.Popen(["bash", "-c", f"exec {hold}"], start_new_session=True) as holder:
        try:
            _until_locked(ask, execute)
        finally:
            os.killpg(holder.pid, signal.SIGKILL)


def _until_locked(ask: str, execute: Execute) -> None:
    for _ in range(100):
        if execute(ask) == "held by the other machine\n":
            return
        execute("sleep 0.1")
    pytest.fail("the lock is not seen")


def test_what_an_earlier_version_did_stays_done(workplace: Path, execute: Execute) -> None:
    """upgrade.md: receipts of 0.1 lie in the feed, and the commands of the page succeed."""
    feed = Feed.load(workplace / "feeds" / "flights.yaml")
    shutil.copytree(OLD_RECEIPTS, feed.receipts)

    printed = follow("how-to/upgrade.md", execute)

    assert "2013-07-12.csv" in printed
    assert {
        one.file
        for batch in ReceiptStore(feed).batches()
        for one in ReceiptStore(feed).for_batch(batch)
    } == {path.name for path in OLD_RECEIPTS.iterdir()}
