"""Delta tables in object stores: the verdicts of the same tables on a disk, by few requests."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import tempfile
from pathlib import Path  # noqa: TC003
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from faulty_proxy import faulty
from lake_tables import deletion_vector, delta_field, rows_in, stated, write_delta
from live_object_store import SECRET
from polars.testing import assert_frame_equal
from small_checks import SPLIT, contract, kinds, left_in, split

from signature_gate import BatchNotFound, Misuse, Policy, check
from signature_gate.expectations.errors import BatchChanged, StoreUnavailable
from signature_gate.expectations.stores.objects import ObjectStore

if TYPE_CHECKING:
    from collections.abc import Callable

A = contract(a="long")
_ODD = 'x y/%é =:"*?#'


@pytest.fixture(params=["bucket", "container"])
def place(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Name an empty bucket of S3's, and a container of Azure's."""
    place = request.getfixturevalue(request.param)
    if request.param == "container":
        # The emulator lists from the beginning, whatever it is asked: this tells the clients.
        monkeypatch.setenv("AZURE_STORAGE_USE_EMULATOR", "true")
        monkeypatch.setenv(
            "AZURITE_BLOB_STORAGE_URL", os.environ["AZURE_ENDPOINT"].rpartition("/")[0]
        )
    return place


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Have temporary files lie where a test sees them."""
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    return tmp_path / "tmp"


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Count the bytes of each data object that is read."""
    sizes = list[int]()
    download = ObjectStore.download

    def counted(
        store: ObjectStore, found: Any, path: Path, start: int = 0, end: Any = None
    ) -> None:
        sizes.append((found.size if end is None else end) - start)
        download(store, found, path, start, end)

    monkeypatch.setattr(ObjectStore, "download", counted)
    return sizes


def lift(folder: Path, url: str) -> str:
    """Copy a table into a store; return its URI."""
    store = ObjectStore(url)
    for file in folder.rglob("*"):
        if file.is_file() and not file.name.endswith(".crc"):
            store.upload(file, str(file.relative_to(folder)))
    return f"delta://{url}"


def numbers(rows: int, seed: int = 1) -> pa.Table:
    """Make rows whose bytes do not compress."""
    return pa.table({"a": np.random.default_rng(seed).integers(0, 2**60, rows)})


# ----- the verdict -----


def _appended(folder: Path) -> None:
    for cells in ([1, 2], [3, None]):
        rows = pa.table({"a": pa.array(cells, pa.int64()), "p": [_ODD, "y"]})
        write_deltalake(folder, rows, mode="append", partition_by=["p"])
    DeltaTable(folder).create_checkpoint()
    write_deltalake(folder, pa.table({"a": [None, 9], "p": ["z", _ODD]}), mode="append")


def _named_by_spark(folder: Path) -> None:
    name = "p=x y%2Fé/x.parquet"  # escaped for the disk, and once more in the log
    (folder / name).parent.mkdir(parents=True)
    more = stated(3) | deletion_vector([0]) | {"path": quote(name)}
    files = {name: (pa.table({"a": [1, None, 3]}), more)}
    write_delta(folder, [delta_field("a")], files, ["deletionVectors"])


def _renamed(folder: Path) -> None:
    fields = [delta_field("a", id=1, physicalName="old")]
    files = {"x.parquet": (pa.table({"old": [1, None]}), {})}
    write_delta(folder, fields, files, mapping="name")


def _widened(folder: Path) -> None:
    narrow, text = pa.table({"a": pa.array([1], pa.int32())}), pa.table({"a": ["2"]})
    files = {"x.parquet": (narrow, stated(1)), "y.parquet": (text, stated(1))}
    write_delta(folder, [delta_field("a")], files, ["typeWidening"])


def _without_statistics(folder: Path) -> None:
    files = {f"{n}.parquet": (numbers(50_000, n), {}) for n in range(2)}
    write_delta(folder, [delta_field("a")], files)


def _vacuumed(folder: Path) -> None:
    files = {f"{n}.parquet": (pa.table({"a": [n]}), stated(1, a=0)) for n in range(2)}
    write_delta(folder, [delta_field("a")], files)
    (folder / "0.parquet").unlink()


def _replaced(folder: Path) -> None:
    write_delta(folder, [delta_field("a")], {"x.parquet": (pa.table({"a": [1]}), stated(1, a=0))})
    pl.DataFrame({"a": range(99)}).write_parquet(folder / "x.parquet")


def _without_rows(folder: Path) -> None:
    write_deltalake(folder, pa.table({"a": pa.array([], pa.string())}))


def _without_its_deletion_vector(folder: Path) -> None:
    vector = {"storageType": "u", "pathOrInlineDv": "ab^-aqEH.-t@S}K{vb[*k^", "offset": 1}
    more = {"deletionVector": vector | {"sizeInBytes": 36, "cardinality": 1}}
    files = {"x.parquet": (pa.table({"a": [1, 2]}), stated(2) | more)}
    write_delta(folder, [delta_field("a")], files, ["deletionVectors"])


def _cut_off(folder: Path) -> None:
    write_deltalake(folder, pa.table({"a": [1]}))
    (log,) = (folder / "_delta_log").glob("*.json")
    log.write_bytes(log.read_bytes()[:-200])


def _beyond_the_gate(folder: Path) -> None:
    write_delta(folder, [delta_field("a")], {}, ["brandNew"])


def _elsewhere(folder: Path) -> None:
    more = {"path": "s3://other/x.parquet"}
    files = {"x.parquet": (pa.table({"a": [1]}), stated(1) | more)}
    write_delta(folder, [delta_field("a")], files)


TABLES: list[Callable[[Path], None]] = [
    *(_appended, _named_by_spark, _renamed, _widened, _without_statistics, _vacuumed, _replaced),
    *(_without_rows, _without_its_deletion_vector, _cut_off, _beyond_the_gate, _elsewhere),
]


@pytest.mark.parametrize("make", TABLES)
def test_a_table_is_judged_as_on_a_disk(
    place: str, tmp_path: Path, make: Callable[[Path], None]
) -> None:
    """Violations, counts, evidence and the rows of both sides are the same."""
    make(tmp_path / "t")
    lifted = lift(tmp_path / "t", f"{place}/lake/t")

    words = split(redact=True)  # of a library name the place
    there, here = check(lifted, A, words), check(f"delta://{tmp_path}/t", A, words)

    plain = {"batch": here.verdict.batch}
    assert there.verdict.model_copy(update=plain) == here.verdict
    assert there.verdict.batch.columns == here.verdict.batch.columns
    if here.accepted is not None:
        version = here.verdict.batch.name[1:]
        assert there.verdict.batch.uri == lifted + version
        assert_frame_equal(rows_in(there), rows_in(here))


def test_what_the_log_proves_opens_no_object(place: str, read: list[int], temporary: Path) -> None:
    """No file appears either; rows are fetched when they are wanted."""
    for seed in (1, 2):
        write_deltalake(f"{place}/t", numbers(50_000, seed), mode="append")

    result = check(f"delta://{place}/t@1", A)

    assert result.passed
    assert result.verdict.evidence == {"a": "table"}
    assert (read, list(temporary.iterdir())) == ([], [])
    assert len(result.model_input()) == 100_000
    assert len(read) == 4  # a footer and a body of each


def test_what_footers_prove_reads_no_row(place: str, tmp_path: Path, read: list[int]) -> None:
    """Of each file the footer is read, in one request."""
    _without_statistics(tmp_path / "t")

    result = check(lift(tmp_path / "t", f"{place}/t"), A)

    assert result.passed
    assert result.verdict.evidence == {"a": "footer"}
    assert len(read) == 2
    assert sum(read) < 200_000


def test_a_version_is_judged_whatever_is_written_meanwhile(place: str) -> None:
    """The rows of the version that was judged are handed over, and its name says which it was."""
    write_deltalake(f"{place}/lake/my t", pa.table({"a": [1]}))
    newest = check(f"delta://{place}/lake/my t", A)
    write_deltalake(f"{place}/lake/my t", pa.table({"a": [2]}), mode="overwrite")

    assert newest.model_input()["a"].tolist() == [1]
    assert newest.verdict.batch.uri == f"delta://{place}/lake/my t@0"
    assert check(f"delta://{place}/lake/my t@0", A).model_input()["a"].tolist() == [1]
    assert check(f"delta://{place}/lake/my t", A).model_input()["a"].tolist() == [2]


def test_the_prefix_of_a_table_is_refused_with_its_uri(place: str, read: list[int]) -> None:
    """Before anything of it is fetched: files of other versions lie there too."""
    write_deltalake(f"{place}/lake/t", pa.table({"a": [1]}))

    (violation,) = check(f"{place}/lake/t", A).violations

    assert violation.kind == "unreadable"
    assert f"delta://{place}/lake/t@VERSION" in violation.remedy
    assert read == []


def test_workers_fetch_the_files_that_they_scan(place: str, tmp_path: Path) -> None:
    """Of a table, and of a prefix, divided among processes the verdict is that of one."""
    for seed in (1, 2, 3):
        rows = numbers(20_000, seed).to_pylist()
        table = pa.Table.from_pylist([{"a": row["a"] if row["a"] % 9 else None} for row in rows])
        write_deltalake(f"{place}/t", table, mode="append")
    policy = Policy(on_mismatch="split", max_rejected=1, trust_statistics=False)

    for batch in (f"delta://{place}/t", f"{place}/t"):
        if batch == f"{place}/t":
            for found in list(ObjectStore(batch).list("_delta_log")):
                ObjectStore(batch).delete(found.key)
        assert check(batch, A, policy, workers=2).verdict == check(batch, A, policy).verdict


# ----- what changes, and what fails -----


def test_a_file_that_is_gone_or_another_one_after_the_verdict_is_told(
    place: str, read: list[int]
) -> None:
    """It is pinned to what was listed: no row of another object is handed out."""
    write_deltalake(f"{place}/t", numbers(50_000))
    store = ObjectStore(f"{place}/t")
    (found,) = (found for found in store.list() if found.key.endswith(".parquet"))
    body = store.read(found.key)[0]
    replaced = check(f"delta://{place}/t", A)
    store.write(found.key, body[:-1] + b"?")
    with pytest.raises(BatchChanged, match="was replaced meanwhile"):
        replaced.model_input()

    gone = check(f"delta://{place}/t", A)
    store.delete(found.key)
    with pytest.raises(BatchChanged, match=r"the table lists and that is gone|meanwhile"):
        gone.model_input()
    assert kinds(check(f"delta://{place}/t", A)) == ["unreadable"]


def test_what_was_fetched_lasts_as_long_as_a_frame_of_it(place: str, temporary: Path) -> None:
    """One temporary folder for all files, as long as something can read them."""
    for seed in (1, 2):
        write_deltalake(f"{place}/t", numbers(50_000, seed), mode="append")

    rows = check(f"delta://{place}/t", A, Policy(trust_statistics=False)).accepted
    assert rows is not None
    gc.collect()
    assert len(list(temporary.iterdir())) == 1
    assert rows.collect().height == 100_000
    del rows

    assert left_in(temporary) == []


def test_what_is_no_table_is_an_error_that_says_so(place: str, tmp_path: Path) -> None:
    """Buckets, folders and versions that are not there, and credentials in the address."""
    write_deltalake(f"{place}/t", pa.table({"a": [1]}))
    scheme = place.partition("://")[0]
    for table, error, words in (
        (f"{place}/nowhere", BatchNotFound, f"no Delta table at {place}/nowhere: it has no"),
        (f"{place}/nowhere@3", BatchNotFound, f"no Delta table at {place}/nowhere: it has no"),
        (f"{place}/t@9", BatchNotFound, f"no version 9 of {place}/t: its newest is 0"),
        (f"{scheme}://nobody-has-it/t", StoreUnavailable, "NoSuchBucket|404 Not Found"),
        (f"{scheme}://key:xyzzy@bucket/t", Misuse, "holds credentials"),
    ):
        with pytest.raises(error, match=words) as caught:
            check(f"delta://{table}", A)
        assert "xyzzy" not in str(caught.value)


@pytest.mark.parametrize("kind", ["refused", "denied", "reset"])
def test_a_store_that_fails_at_any_request_is_no_verdict(
    bucket: str, s3: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """From each request on: an error of the gate's, short and without secrets, or the verdict."""
    _named_by_spark(tmp_path / "t")
    table = lift(tmp_path / "t", f"{bucket}/t")
    said = list[str]()

    for first in (1, 2, 4, 5, 6):
        with faulty(s3, kind, first, 10**6) as (address, _):
            monkeypatch.setenv("AWS_ENDPOINT_URL", address)
            with pytest.raises(StoreUnavailable, match="did not answer as it should") as caught:
                check(table, A, SPLIT)
        said.append(str(caught.value))

    assert max(map(len, said)) < 500
    assert SECRET not in "".join(said)
    assert "\x1b" not in "".join(said)


def test_a_store_that_fails_after_the_verdict_is_told_as_such(
    bucket: str, s3: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The batch is what was judged, for all that anybody knows: it is no change of it."""
    write_deltalake(f"{bucket}/t", numbers(50_000))

    with faulty(s3, "denied", 10**6, 10**9) as (address, faults):
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        result = check(f"delta://{bucket}/t", A)
        faults.first = 1
        with pytest.raises(StoreUnavailable, match="did not answer as it should"):
            result.model_input()


@pytest.mark.parametrize(("client", "extra"), [("obstore", "s3"), ("deltalake", "delta")])
def test_a_client_that_is_not_installed_is_named(client: str, extra: str) -> None:
    """Both are needed; in a process that has only one of them."""
    program = (
        f"import sys; sys.modules[{client!r}] = None\n"
        "from signature_gate import Contract, GateError, check\n"
        'contract = Contract.from_signature({\'inputs\': \'[{"name": "a", "type": "long"}]\'})\n'
        "try: check('delta://s3://bucket/t', contract)\n"
        "except GateError as error: print(error)\n"
    )
    command = [sys.executable, "-c", program]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout

    assert f"pip install 'signature-gate[{extra}]'" in said
