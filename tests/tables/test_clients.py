"""What reads tables is optional: who has none of them pays nothing, and is told what to install."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import polars as pl
import pyarrow as pa
import pytest
from deltalake import write_deltalake
from lake_tables import rows_in
from live_object_store import SECRET
from pyiceberg.catalog.sql import SqlCatalog
from small_checks import SPLIT, contract, violations_in

from signature_gate import check
from signature_gate.expectations.errors import Misuse

if TYPE_CHECKING:
    from pathlib import Path

A = contract(a="long")


@pytest.mark.parametrize("extra", ["delta", "iceberg"])
def test_a_client_that_is_not_installed_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, extra: str
) -> None:
    """The error says how to install it, for URIs and for the folder of a Delta table."""
    write_deltalake(tmp_path, pa.table({"a": [1]}))
    monkeypatch.delitem(sys.modules, f"signature_gate.expectations.readers.tables.{extra}", False)
    library = {"delta": "deltalake", "iceberg": "pyiceberg"}[extra]
    for name in [name for name in sys.modules if name.split(".")[0] == library]:
        monkeypatch.setitem(sys.modules, name, None)
    batches = {"delta": [str(tmp_path), f"delta://{tmp_path}"], "iceberg": ["iceberg://c/n.t"]}

    for batch in batches[extra]:
        with pytest.raises(Misuse, match=rf"pip install 'signature-gate\[{extra}\]'"):
            check(batch, A)


def test_a_local_file_is_judged_without_clients(tmp_path: Path) -> None:
    """A check of files, several of them, imports neither client nor what reads with them."""
    for name in ("1.parquet", "2.parquet"):
        pl.DataFrame({"a": [1, None]}).write_parquet(tmp_path / name)
    spec = '[{"type": "long", "name": "a", "required": true}]'
    program = f"""
import sys
from signature_gate import Contract, check
assert check({str(tmp_path)!r}, Contract.from_signature({{"inputs": {spec!r}}})).verdict.rows == 4
print(*{{name.split(".")[0] for name in sys.modules}} & {{"deltalake", "pyiceberg", "sqlalchemy"}})
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == ""


def test_data_files_in_an_object_store_are_read_by_pyiceberg(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bucket: str, s3: str
) -> None:
    """With the catalog's credentials, which nothing shows; the rows are those of a local table."""
    place = {"uri": f"sqlite:///{tmp_path}/lake.db", "warehouse": f"{bucket}/lake"}
    place |= {"s3.endpoint": s3, "s3.region": "us-east-1"}
    place |= {"s3.access-key-id": "loopback", "s3.secret-access-key": SECRET}
    for key, value in {"type": "sql", **place}.items():
        name = key.upper().replace(".", "__").replace("-", "_")
        monkeypatch.setenv(f"PYICEBERG_CATALOG__FAR__{name}", value)
    rows = pa.table({"a": [1, None, 3]})
    with SqlCatalog("far", **place) as catalog:
        catalog.create_namespace("sales")
        catalog.create_table("sales.t", rows.schema).append(rows)

    result = check("iceberg://far/sales.t", A, SPLIT)

    assert violations_in(result) == [("null", "a", 1)]
    assert sorted(rows_in(result)["a"].to_list(), key=str) == [1, 3, None]
    assert SECRET not in result.verdict.to_json()
