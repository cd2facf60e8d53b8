"""Spark Connect: the client has no session in its process, and the verdict is the same."""

from __future__ import annotations

import json
import os
import subprocess
import sys

# A process of its own: one that has a session cannot be a client.
_CLIENT = """
import json
from pyspark.sql import SparkSession
from signature_gate import Contract, Policy, spark

session = SparkSession.builder.remote("local[1]").getOrCreate()
frame = session.createDataFrame(
    [(1.0, [1.0, 2.0]), (2.0, [None]), (None, [1.0])], "a double, v array<double>"
)
array = {"name": "v", "type": "array", "items": {"type": "double"}}
contract = Contract.from_signature({"inputs": json.dumps([{"name": "a", "type": "double"}, array])})
policy = Policy(on_mismatch="split", max_rejected=1.0)
result = spark.check(frame, contract, policy)
found = [[v.kind, v.column, v.count] for v in result.verdict.violations]
rows = [[row.asDict() for row in part.collect()] for part in (result.accepted, result.rejected)]
session.stop()
print(json.dumps([found, *rows]))
"""


def test_a_frame_of_a_connect_session_is_judged_and_divided() -> None:
    """Counted by Spark and, for what only the gate knows, by its workers; no row is collected."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _CLIENT],
        env=os.environ | {"PYSPARK_PYTHON": sys.executable},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )

    assert done.returncode == 0, done.stderr
    found, accepted, rejected = json.loads(done.stdout.splitlines()[-1])
    assert found == [["null", "a", 1]]
    assert accepted == [{"a": 1.0, "v": [1.0, 2.0]}, {"a": 2.0, "v": [None]}]
    assert [row["_violations"] for row in rejected] == [["null in 'a': null"]]
