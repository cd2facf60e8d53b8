"""``check`` and ``split`` of an object: the verdict of the same file on a disk."""

from __future__ import annotations

import gc
import subprocess
import sys
import tempfile
from io import BytesIO
from pathlib import Path  # noqa: TC003
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest
from live_object_store import SECRET
from small_checks import left_in

from signature_gate import Contract, Policy, check
from signature_gate.expectations.errors import (
    BatchChanged,
    BatchNotFound,
    Misuse,
    StoreUnavailable,
)
from signature_gate.expectations.stores.objects import ObjectStore

if TYPE_CHECKING:
    from collections.abc import Callable

COLUMNS = '[{"name": "a", "type": "double"}, {"name": "n", "type": "long"}]'
CONTRACT = Contract.from_signature({"inputs": COLUMNS})


@pytest.fixture(params=["bucket", "container"])
def place(request: pytest.FixtureRequest) -> str:
    """Name an empty bucket of S3's, and a container of Azure's."""
    return request.getfixturevalue(request.param)


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Have temporary files lie where a test sees them."""
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    return tmp_path / "tmp"


def frame(rows: int, nulls: int = 0) -> pl.DataFrame:
    """Make rows whose bytes do not compress; some have no ``a``."""
    values = np.random.default_rng(1).normal(size=rows)
    numbers = pl.Series("a", values).set(pl.int_range(rows, eager=True) < nulls, None)
    return pl.DataFrame({"a": numbers, "n": np.random.default_rng(2).integers(0, 2**60, rows)})


def parquet(batch: pl.DataFrame, **options: Any) -> bytes:
    """Write a frame as Parquet."""
    buffer = BytesIO()
    batch.write_parquet(buffer, **options)
    return buffer.getvalue()


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Count the bytes of each answer of the store."""
    sizes = list[int]()
    download = ObjectStore.download

    def counted(
        store: ObjectStore, found: Any, path: Path, start: int = 0, end: Any = None
    ) -> None:
        sizes.append((found.size if end is None else end) - start)
        download(store, found, path, start, end)

    monkeypatch.setattr(ObjectStore, "download", counted)
    return sizes


def test_a_verdict_from_the_footer_reads_the_footer(place: str, read: list[int]) -> None:
    """Of a file that passes by its statistics no row is fetched."""
    contract = Contract.from_signature({"inputs": '[{"name": "n", "type": "long"}]'})
    body = parquet(frame(200_000).select("n"))
    ObjectStore(place).write("inbox/big.parquet", body)

    result = check(f"{place}/inbox/big.parquet", contract)

    assert result.passed
    assert result.verdict.batch.uri == f"{place}/inbox/big.parquet"
    assert len(read) == 1
    assert sum(read) < 200_000 < len(body)


def test_a_footer_longer_than_the_first_request_is_read_by_a_second(
    place: str, read: list[int]
) -> None:
    """Many row groups make a long footer; still no row is fetched."""
    contract = Contract.from_signature({"inputs": '[{"name": "n", "type": "long"}]'})
    body = parquet(frame(200_000).select("n"), row_group_size=200)
    ObjectStore(place).write("many.parquet", body)

    assert check(f"{place}/many.parquet", contract).passed
    assert len(read) == 2
    assert sum(read) < len(body) / 4


BODIES: dict[str, Callable[[], bytes]] = {
    "good.parquet": lambda: parquet(frame(20_000)),
    "nulls.parquet": lambda: parquet(frame(20_000, nulls=7)),
    "other.parquet": lambda: parquet(frame(20_000).rename({"n": "m"})),
    "half.parquet": lambda: parquet(frame(20_000))[:100_000],
    "two.parquet": lambda: parquet(frame(20_000)) + parquet(frame(20_000)),
    "empty.parquet": lambda: b"",
    "rows.csv": lambda: frame(50, nulls=3).write_csv().encode(),
    "rows.jsonl": lambda: frame(50, nulls=3).write_ndjson().encode(),
}


@pytest.mark.parametrize("name", BODIES)
def test_an_object_is_judged_as_the_file_is(place: str, name: str, tmp_path: Path) -> None:
    """Violations, counts, and the rows that are accepted and rejected are the same."""
    body, policy = BODIES[name](), Policy(on_mismatch="split", max_rejected=0.5)
    ObjectStore(place).write(name, body)
    (tmp_path / name).write_bytes(body)

    there = check(f"{place}/{name}", CONTRACT, policy)
    here = check(tmp_path / name, CONTRACT, policy)

    assert there.verdict.batch.uri == f"{place}/{name}"
    plain = {"batch": here.verdict.batch}
    assert there.verdict.model_copy(update=plain) == here.verdict
    if here.disposition in ("passed", "split"):
        assert there.accepted.collect().equals(here.accepted.collect())


def test_a_prefix_is_judged_as_the_folder_is(place: str, tmp_path: Path) -> None:
    """Its objects are the files of one batch; what is hidden is none of them."""
    (tmp_path / "day").mkdir()
    for n in range(3):
        body = parquet(frame(100, nulls=n))
        ObjectStore(place).write(f"day/part-{n}.parquet", body)
        (tmp_path / "day" / f"part-{n}.parquet").write_bytes(body)
    ObjectStore(place).write("day/_SUCCESS", b"")

    there, here = check(f"{place}/day", CONTRACT), check(tmp_path / "day", CONTRACT)

    assert there.verdict.batch.files == here.verdict.batch.files == 3
    assert there.verdict.violations == here.verdict.violations


def test_rows_of_an_object_that_was_replaced_are_never_handed_out(place: str) -> None:
    """It was judged by its footer; its rows are fetched only as long as it is the same."""
    contract = Contract.from_signature({"inputs": '[{"name": "n", "type": "long"}]'})
    ObjectStore(place).write("a.parquet", parquet(frame(50_000).select("n")))
    result = check(f"{place}/a.parquet", contract)
    ObjectStore(place).write("a.parquet", parquet(frame(50_001).select("n")))

    with pytest.raises(BatchChanged, match="was replaced meanwhile"):
        result.accepted.collect()


def test_what_was_fetched_is_gone_with_the_result(place: str, temporary: Path) -> None:
    """Temporary files last as long as something can read them."""
    ObjectStore(place).write("a.parquet", parquet(frame(50_000)))

    result = check(f"{place}/a.parquet", CONTRACT)
    rows = result.accepted
    assert list(temporary.iterdir())
    assert rows.collect().height == 50_000
    del result, rows

    assert left_in(temporary) == []


@pytest.mark.parametrize("batch", ["good.parquet", "rows.csv", "rows.jsonl", "day"])
def test_rows_are_at_hand_after_the_result_is_gone(place: str, temporary: Path, batch: str) -> None:
    """What was fetched stays where a lazy frame finds it, and goes with the frame."""
    for name in ("good.parquet", "rows.csv", "rows.jsonl"):
        ObjectStore(place).write(name, BODIES[name]())
        ObjectStore(place).write(f"day/k=1/{name}", BODIES[name]())

    rows = check(
        f"{place}/{batch}", CONTRACT, Policy(on_mismatch="split", max_rejected=0.5)
    ).accepted
    gc.collect()

    assert rows.collect().height > 40
    del rows
    assert left_in(temporary) == []


def test_an_object_that_is_not_there_is_no_batch(place: str) -> None:
    """The error names the object, and what to look after."""
    with pytest.raises(BatchNotFound, match=rf"no such batch: {place}/no.parquet. Check the"):
        check(f"{place}/no.parquet", CONTRACT)


def test_credentials_in_an_address_are_refused_and_not_repeated(place: str) -> None:
    """They would end in receipts, logs and pages."""
    with pytest.raises(Misuse, match="holds credentials") as raised:
        check("s3://key:xyzzy-secret@bucket/a.parquet", CONTRACT)

    assert "xyzzy-secret" not in str(raised.value)


def test_a_store_that_denies_access_is_no_verdict(
    place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Broken machinery is an error, which quotes neither secrets nor pages of a client's words."""
    for variable in ("AWS_ENDPOINT_URL", "AZURE_ENDPOINT"):
        monkeypatch.setenv(variable, "http://127.0.0.1:9")

    with pytest.raises(StoreUnavailable, match="did not answer as it should") as raised:
        check(f"{place}/a.parquet", CONTRACT)

    assert len(str(raised.value)) < 600
    assert SECRET not in str(raised.value)


def test_without_the_client_the_error_names_the_extra() -> None:
    """In a process that has no obstore."""
    program = (
        "import sys; sys.modules['obstore'] = None\n"
        "from signature_gate import Contract, GateError, check\n"
        'contract = Contract.from_signature({\'inputs\': \'[{"name": "n", "type": "long"}]\'})\n'
        "try: check('s3://bucket/a.parquet', contract)\n"
        "except GateError as error: print(error)\n"
    )
    command = [sys.executable, "-c", program]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout

    assert "pip install 'signature-gate[s3]'" in said
