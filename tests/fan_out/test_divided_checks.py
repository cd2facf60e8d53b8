"""A batch of many files that processes scan: the verdict is that of a single process."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from functools import partial
from multiprocessing import active_children
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from divided_batches import (
    BARE,
    ENDINGS,
    RULED,
    SPLIT,
    folder_of,
    learned,
    once_a_part_is_done,
    rows,
    said,
    write,
)
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from small_checks import contract
from strategies import POLICIES, contracts, tables

from signature_gate import BatchNotFound, GateError, Misuse, Policy, check
from signature_gate.expectations.fan_out.call import Call, result_of
from signature_gate.expectations.fan_out.processes import Processes
from signature_gate.expectations.readers.open import open_batch

if TYPE_CHECKING:
    from collections.abc import Iterator

FEW = settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files of all formats."""
    return folder_of(tmp_path_factory.mktemp("batch"), 16)


# ----- the verdict -----


@st.composite
def divided(draw: st.DrawFn) -> tuple[Any, pa.Table, Any, list[int]]:
    judged_by = draw(contracts())
    table = draw(tables(judged_by))
    cuts = draw(st.lists(st.integers(0, table.num_rows), min_size=1, max_size=4))
    return judged_by, table, draw(POLICIES), [0, *sorted(cuts), table.num_rows]


@FEW
@given(case=divided())
def test_any_table_in_any_files_has_the_verdict_of_one_process(case: Any) -> None:
    """Any types, whatever the policy."""
    judged_by, table, policy, edges = case
    with TemporaryDirectory() as root:
        for number, start in enumerate(edges[:-1]):
            try:
                part = table.slice(start, edges[number + 1] - start)
                pq.write_table(part, Path(root, f"{number}.parquet"))
            except pa.ArrowNotImplementedError:
                assume(condition=False)

        assert said(root, judged_by, policy, 2) == said(root, judged_by, policy)


CELLS = st.tuples(
    st.sampled_from(["1", "79", "81", "", "1.5", "x", "007", "9e99"]),
    st.sampled_from(["0.5", "", "nan", "-1", "1,5", "12345678901234567890"]),
    st.sampled_from(["a", "", "null", "é"]),
)


@FEW
@given(
    files=st.lists(
        st.tuples(st.sampled_from(ENDINGS), st.lists(CELLS, max_size=5)), min_size=2, max_size=6
    ),
    judged_by=st.sampled_from([BARE, RULED, learned()]),
    redact=st.booleans(),
    trusting=st.booleans(),
)
def test_any_format_rules_and_learned_values(
    files: list[tuple[str, Any]], judged_by: Any, *, redact: bool, trusting: bool
) -> None:
    """Text that is parsed, typed files beside it, rules of rows and of the batch, a sample."""
    policy = {**SPLIT, "redact": redact, "trust_statistics": trusting, "keep": ["k"]}
    with TemporaryDirectory() as root:
        for number, (ending, cells) in enumerate(files):
            text = pl.DataFrame(cells, dict.fromkeys("nxs", pl.String), orient="row")
            typed = text.with_columns(pl.col("n").cast(pl.Int64, strict=False))
            made = text if ending == "csv" else typed.with_columns(pl.lit(number).alias("k"))
            write(made, Path(root, f"{number}.{ending}"))

        assert said(root, judged_by, policy, 2) == said(root, judged_by, policy)


@pytest.mark.parametrize("judged_by", [BARE, RULED, learned()], ids=["bare", "ruled", "learned"])
def test_a_folder_has_the_verdict_and_the_rows_of_one_process(folder: Path, judged_by: Any) -> None:
    """Every format, partitions, optional columns: the JSON is equal, and so are both sides."""
    one, many = (check(folder, judged_by, SPLIT, workers=workers) for workers in (None, 2))

    assert many.verdict.model_dump_json() == one.verdict.model_dump_json()
    assert many.values == one.values
    if one.accepted is not None and many.accepted is not None:
        assert_frame_equal(many.accepted.collect(), one.accepted.collect())
    if one.rejected is not None and many.rejected is not None:
        assert_frame_equal(many.rejected.collect(), one.rejected.collect())
    assert one.verdict.rejected


@pytest.mark.parametrize("policy", [SPLIT, {}], ids=["split", "quarantine"])
def test_files_that_break_off_are_named(tmp_path: Path, policy: Any) -> None:
    """What a worker cannot read is a violation, as it is in one process."""
    for number in range(6):
        write(rows(400, number), tmp_path / f"{number}.csv")
    broken = tmp_path / "3.jsonl"
    write(rows(400, 3), tmp_path / "3.jsonl")
    broken.write_bytes(broken.read_bytes()[:-9])
    (tmp_path / "4.arrow").write_bytes(b"ARROW1 and no more")
    write(rows(40_000, 5), tmp_path / "5.parquet")
    whole = (tmp_path / "5.parquet").read_bytes()
    (tmp_path / "5.parquet").write_bytes(whole[:4] + b"\0" * 3_000 + whole[3_004:])

    one = said(tmp_path, BARE, policy)

    assert said(tmp_path, BARE, policy, 2) == one
    assert one.count('"unreadable"') >= 2


def test_what_footers_prove_needs_no_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Workers are asked about the files that must be read, and about no other."""
    good, judged_by = pl.DataFrame({"n": [1]}), contract(n="long")
    for number in range(4):
        write(good, tmp_path / f"{number}.parquet")
    write(good, tmp_path / "4.csv")
    write(good, tmp_path / "5.csv")
    asked, done = list[str](), Processes.done

    def counted(self: Processes, call: Call) -> Iterator[tuple[int, Any]]:
        asked.extend(file.name for item in call.items for file in pickle.loads(item))  # noqa: S301 - made here
        return done(self, call)

    monkeypatch.setattr(Processes, "done", counted)

    assert said(tmp_path, judged_by, {}, 2) == said(tmp_path, judged_by, {})
    assert asked == ["4.csv", "5.csv"]


def test_paths_count_from_the_folder_of_the_caller(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A caller that has changed its folder meanwhile is understood."""
    for place in ("one", "two"):
        for number in range(2):
            write(rows(30, number), tmp_path / place / "batch" / f"{number}.csv")
        monkeypatch.chdir(tmp_path / place)

        assert said("batch", BARE, SPLIT, 2) == said("batch", BARE, SPLIT)


# ----- what goes wrong -----


def test_a_hundred_files_and_a_worker_that_is_killed(tmp_path: Path) -> None:
    """What it had under way is scanned again, by other processes."""
    folder = folder_of(tmp_path, 100, 20)
    one = said(folder, RULED, SPLIT)

    with once_a_part_is_done(
        Processes, lambda: os.kill(active_children()[0].pid or 0, signal.SIGKILL)
    ) as done:
        assert said(folder, RULED, SPLIT, 2) == one
    assert sorted(done) == list(range(8))


def test_work_that_kills_every_worker_is_an_error() -> None:
    """After three pools in a row it is given up, and the error says what to look for."""
    with pytest.raises(GateError, match="2 worker processes ended without a word, 3 times"):
        [result_of(got) for _, got in Processes(2).done(Call(os._exit, [9]))]


def test_an_error_of_a_worker_is_the_same_error(tmp_path: Path) -> None:
    """Errors of the gate come from workers as they are."""
    reading = partial(open_batch, contract=BARE, policy=Policy())

    with pytest.raises(BatchNotFound, match=r"no such batch: .*gone\.csv"):
        [result_of(got) for _, got in Processes(2).done(Call(reading, [tmp_path / "gone.csv"]))]


def test_a_script_without_a_guard_is_told_so(folder: Path, tmp_path: Path) -> None:
    """Each worker imports the script, and would judge there once more."""
    script = tmp_path / "script.py"
    script.write_text(
        "from divided_batches import BARE\nfrom signature_gate import check\n"
        f"print(check({str(folder)!r}, BARE, workers=2).passed)\n"
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if "tests" in p)}

    done = subprocess.run(
        [sys.executable, script], env=env, capture_output=True, text=True, check=False
    )

    assert done.returncode == 1
    assert "call the gate below `if __name__ == '__main__':`" in done.stderr


@pytest.mark.parametrize("workers", [0, -1, True, 1.5, "two", "daskk", object()])
def test_other_workers_are_refused(folder: Path, workers: Any) -> None:
    """The error says what is accepted."""
    with pytest.raises(Misuse, match="workers are a number of processes, 'dask' or"):
        check(folder, BARE, workers=workers)


@pytest.mark.parametrize(("workers", "extra"), [("dask", "dask"), ("ray", "ray")])
def test_an_engine_that_is_missing_names_its_extra(
    folder: Path, monkeypatch: pytest.MonkeyPatch, workers: str, extra: str
) -> None:
    """The error is the command that installs it."""
    monkeypatch.setitem(sys.modules, "distributed", None)
    monkeypatch.setitem(sys.modules, "ray", None)

    with pytest.raises(Misuse, match=rf"pip install 'signature-gate\[{extra}\]'"):
        check(folder, BARE, workers=workers)
