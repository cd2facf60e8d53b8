from __future__ import annotations

import importlib.util
import sqlite3
import sys
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from feeds import line_model, rows  # noqa: F401 - line_model is a fixture
from repository import ROOT

from signature_gate import BatchRejected, Policy
from signature_gate.tasks import check_batch

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import ModuleType

pytestmark = pytest.mark.usefixtures("prefect_server")

ETL = ROOT / "deployments" / "etl.py"
SOUND = [(1, 1.0, 1), (2, 2.0, 2), (3, 3.0, 3)]
SPLIT = Policy(on_mismatch="split", max_rejected=0.5, keep=("id",))


@pytest.fixture(name="etl", scope="module")
def the_example() -> Iterator[ModuleType]:
    """Import the example of deployments/."""
    spec = importlib.util.spec_from_file_location("etl", ETL)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        # Prefect looks a flow's module up by its name.
        patch.setitem(sys.modules, "etl", module)
        spec.loader.exec_module(module)
        yield module


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """An empty table in a SQLite file, whose columns have no types."""
    path = tmp_path / "flights.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE arrivals (id INTEGER PRIMARY KEY, a, n)")
    return path


def arrive(database: Path, *arrivals: tuple[int, Any, Any]) -> None:
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.executemany("INSERT INTO arrivals VALUES (?, ?, ?)", arrivals)


def table(database: Path, name: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute(f"SELECT * FROM {name} ORDER BY id").fetchall()  # noqa: S608


def test_rows_that_fit_are_scored_by_the_version_that_judged(
    etl: ModuleType, database: Path, line: str
) -> None:
    """passed: every row has its score beside its key, and the pinned version's name."""
    arrive(database, *SOUND)

    state = etl.load_scores(database, line, return_state=True)

    assert (state.name, state.result().disposition) == ("Completed", "passed")
    assert [(key, round(score, 6), model) for key, score, model in table(database, "scores")] == [
        (1, 2.0, "models:/line/1"),
        (2, 4.0, "models:/line/1"),
        (3, 6.0, "models:/line/1"),
    ]
    assert table(database, "rejected") == []


def test_a_split_loads_the_good_rows_and_sets_the_bad_ones_aside(
    etl: ModuleType, database: Path, line: str
) -> None:
    """split: each row is in one table; a rejected row has its reasons."""
    arrive(database, *SOUND, (4, None, 4))

    state = etl.load_scores(database, line, SPLIT, return_state=True)

    assert (state.name, state.result().disposition) == ("Completed", "split")
    assert [key for key, *_ in table(database, "scores")] == [1, 2, 3]
    ((key, reasons, model),) = table(database, "rejected")
    assert (key, model) == (4, "models:/line/1")
    assert reasons.startswith("null in 'a'")


def test_a_batch_with_too_many_bad_rows_is_set_aside_whole(
    etl: ModuleType, database: Path, line: str
) -> None:
    """quarantined: nothing is scored, the run reports it, and good rows differ from bad ones."""
    arrive(database, *SOUND, *((key, None, key) for key in range(4, 8)))

    state = etl.load_scores(database, line, SPLIT, return_state=True)

    assert (state.name, state.type.value) == ("Quarantined", "COMPLETED")
    assert table(database, "scores") == []
    reasons = [reasons.split()[0] for _, reasons, _ in table(database, "rejected")]
    assert reasons == ["The"] * 3 + ["null"] * 4


def test_a_batch_of_wrong_types_is_set_aside_whole(
    etl: ModuleType, database: Path, line: str
) -> None:
    """Text in a column of numbers: every row has the reason type_mismatch."""
    arrive(database, (1, "one", 1), (2, "two", 2))

    state = etl.load_scores(database, line, return_state=True)

    assert state.name == "Quarantined"
    assert all("type_mismatch" in reasons for _, reasons, _ in table(database, "rejected"))
    assert len(table(database, "rejected")) == 2


def test_a_policy_that_fails_loads_nothing(etl: ModuleType, database: Path, line: str) -> None:
    """failed: the flow raises with the verdict, and the rows stay where they are."""
    arrive(database, *SOUND, (4, None, 4))

    with pytest.raises(BatchRejected, match="null in column 'a'"):
        etl.load_scores(database, line, Policy(on_mismatch="fail", keep=("id",)))

    assert table(database, "scores") == table(database, "rejected") == []


def test_a_second_run_takes_only_what_is_new(etl: ModuleType, database: Path, line: str) -> None:
    """Nothing is scored twice or left out, and a run without new rows changes nothing."""
    arrive(database, *SOUND)
    etl.load_scores(database, line)
    arrive(database, (4, 4.0, 4))
    etl.load_scores(database, line)

    state = etl.load_scores(database, line, return_state=True)

    assert state.message == "nothing has arrived"
    assert [key for key, *_ in table(database, "scores")] == [1, 2, 3, 4]


@pytest.mark.parametrize("as_frame", [True, False], ids=["frame", "path"])
@pytest.mark.parametrize("fits", [True, False], ids=["fits", "rejected"])
def test_the_check_guards_anybodys_flow(
    as_frame: bool, fits: bool, line: str, tmp_path: Path
) -> None:
    """check_batch returns the verdict of a batch that fits, or stops the flow at once."""
    from prefect import flow

    frame = rows(2) if fits else rows(2, a=["x", "y"])
    frame.write_parquet(tmp_path / "batch.parquet")
    batch = frame if as_frame else tmp_path / "batch.parquet"
    went_on: list[str] = []

    @flow
    def nightly() -> None:
        verdict = check_batch(batch, line, Policy(keep=("key",)), raise_if_rejected=True)
        went_on.append(verdict.disposition)

    state = nightly(return_state=True)

    assert went_on == (["passed"] if fits else [])
    assert state.name == ("Completed" if fits else "Failed")
    if not fits:
        with pytest.raises(BatchRejected) as caught:
            state.result()
        assert [v.kind for v in caught.value.verdict.violations] == ["type_mismatch"]
