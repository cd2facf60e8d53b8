"""The rows of docs/benchmarks.md: which contenders judge or score which batches."""

from __future__ import annotations

from typing import Any, NamedTuple

from batches import Batch


class Entry(NamedTuple):
    """A contender on a batch, under the name that the table shows.

    ``contender`` is module and function; ``than`` names the entry that its CPU is divided by, the
    row's base where none is named.
    """

    label: str
    contender: str
    batch: Batch
    arguments: dict[str, Any] = {}  # noqa: RUF012 - never changed
    than: str | None = None


class Row(NamedTuple):
    """A table: a title, what is asked, the entries, and the label of the base.

    ``each`` is how many parts the work has, where the cost of one over the base is told.
    """

    title: str
    about: str
    entries: tuple[Entry, ...]
    base: str
    each: tuple[int, str] | None = None
    warm: bool = True

    def scaled(self, share: float) -> Row:
        """Return the row with a share of the rows of each batch, of which some are left."""
        entries = tuple(
            entry._replace(batch=entry.batch._replace(rows=max(100, int(entry.batch.rows * share))))
            for entry in self.entries
        )
        return self._replace(entries=entries)


def judged(batch: Batch, *names: str, **labels: str) -> tuple[Entry, ...]:
    """Make entries of one batch for contenders of judging.py, labelled as in ``_LABELS``."""
    return tuple(Entry(labels.get(n, _LABELS[n]), f"judging.{n}", batch) for n in names)


_LABELS = {
    "gate": "**signature-gate**",
    "gate_footer": "**signature-gate**, `nan: value`",
    "polars": "Polars, sums of all columns",
    "polars_floats": "Polars, NaN of the doubles alone",
    "polars_csv_text": "Polars, text cast without failing",
    "polars_csv_typed": "Polars, typed",
    "polars_json": "Polars, typed",
    "pyarrow_footer": "PyArrow, null counts of the footer",
    "pyarrow_csv": "PyArrow, reading alone",
    "duckdb": "DuckDB",
    "dataframely": "dataframely, lazy",
    "patito": "patito",
    "pandera_polars": "pandera on Polars",
    "pandera_pandas": "pandera on pandas",
    "pointblank": "pointblank on Polars",
    "mlflow": "MLflow `validate_schema`",
    "gx": "GX on pandas",
    "pandas_csv": "pandas, reading alone",
    "pandas_json": "pandas, reading alone",
    "json_loads": "`json.loads` a line",
}
_PEERS = ("dataframely", "patito", "pandera_polars", "pandera_pandas", "pointblank", "mlflow", "gx")
_LONG = Batch(10_000_000)
_BARE = Batch(10_000_000, statistics=False)
_RULED = _BARE._replace(rules=True)
_CSV = Batch(1_000_000, format="csv")
_JSON = Batch(500_000, 10, format="jsonl")
_WIDE = Batch(10_000, 1000)
_WIDEST = Batch(100, 5000)
_RULED_WIDE = Batch(100, 2000, rules=True, kind="double")
_SHARED = Batch(1_000_000, files=100)
_SMALL = Batch(20_000)
_GATE, _POLARS, _SCRIPT = _LABELS["gate"], _LABELS["polars"], "read, predict, write"


def _failing(batch: Batch, columns: int) -> tuple[Entry, ...]:
    worse = batch._replace(failing=columns)
    return (Entry(f"{_GATE}, {columns} failing columns", "judging.gate", worse, than=_GATE),)


def _command(label: str, *arguments: str, kept: bool = False) -> Entry:
    words = {"arguments": list(arguments), "kept": kept}
    return Entry(label, "cold.command", Batch(1000), words)


def _python(code: str) -> Entry:
    return Entry(f"python, `{code}`", "cold.python", Batch(1000), {"code": code})


ROWS = {
    "footer": Row(
        "Types and nulls, by the footer",
        "10,000,000 rows of 20 columns in Parquet with statistics.",
        judged(_LONG, "gate_footer", "pyarrow_footer", "gate", "polars_floats"),
        _LABELS["pyarrow_footer"],
    ),
    "types": Row(
        "Types and nulls, by reading",
        "The same rows in Parquet without statistics: every column is read.",
        judged(_BARE, "gate", "polars", "duckdb", *_PEERS),
        _POLARS,
    ),
    "rules": Row(
        "Types, nulls and a rule on each number and text",
        "The same file; a range for each number, a set or a pattern for each text.",
        judged(_RULED, "gate", "polars", "duckdb", *_PEERS),
        _POLARS,
    ),
    "growth": Row(
        "Three times the rows",
        "30,000,000 rows of 20 columns without statistics, and 10,000,000.",
        (
            *judged(_BARE._replace(rows=30_000_000), "gate", "polars"),
            *judged(_BARE, "gate", "polars", gate=f"{_GATE}, 10M", polars=f"{_POLARS}, 10M"),
        ),
        _POLARS,
    ),
    "wide": Row(
        "1,000 columns",
        "10,000 rows in Parquet with statistics.",
        judged(_WIDE, "gate", "gate_footer", "polars", "duckdb", *_PEERS[:4], "mlflow"),
        _POLARS,
    ),
    "widest": Row(
        "5,000 columns",
        "100 rows in Parquet with statistics.",
        judged(_WIDEST, "gate", "gate_footer", "polars", "dataframely", "patito", "mlflow"),
        _POLARS,
    ),
    "many-rules": Row(
        "2,000 rules",
        "100 rows of 2,000 doubles, each with a range.",
        judged(_RULED_WIDE, "gate", "polars", "dataframely", "pandera_pandas"),
        _POLARS,
    ),
    "folder": Row(
        "A folder of 100 files",
        "1,000,000 rows of 20 columns in 100 Parquet files, and in one.",
        (
            *judged(_SHARED, "gate", "polars", "duckdb"),
            *judged(_SHARED._replace(files=0), "gate", gate=f"{_GATE}, one file"),
        ),
        f"{_GATE}, one file",
    ),
    "csv": Row(
        "CSV",
        "1,000,000 rows of 20 columns; every cell is parsed and checked.",
        (
            *judged(
                *(_CSV, "gate", "polars_csv_text", "polars_csv_typed", "duckdb"),
                *("pyarrow_csv", "pandas_csv", "gx"),
            ),
            *_failing(_CSV, 20),
        ),
        _LABELS["polars_csv_text"],
    ),
    "json": Row(
        "JSON lines",
        "500,000 lines of 10 columns.",
        (
            *judged(_JSON, "gate", "polars_json", "duckdb", "pandas_json", "json_loads"),
            *_failing(_JSON, 10),
        ),
        _LABELS["polars_json"],
    ),
    "arrow": Row(
        "Arrow",
        "3,000,000 rows of 20 columns in an Arrow file.",
        judged(Batch(3_000_000, format="arrow"), "gate", "polars"),
        _POLARS,
    ),
    "split": Row(
        "Split in two files",
        "10,000,000 rows of 20 columns, of which one in 1,000 has a null: both sides written.",
        tuple(
            Entry(label, f"splitting.{name}", _LONG._replace(per_mille=1))
            for name, label in {
                "gate": _GATE,
                "polars": "Polars, a filter and two sinks",
                "dataframely": "dataframely, `filter` and writing",
            }.items()
        ),
        "Polars, a filter and two sinks",
        warm=False,
    ),
    "cold": Row(
        "Cold start",
        "Whole processes; the checked file has 1,000 rows of 20 columns.",
        (
            _python("pass"),
            _python("import signature_gate"),
            _command("`signature-gate --help`", "--help"),
            _command("`check SUITE BATCH`", "check", "SUITE", "BATCH"),
            _command("`check models:/bench/1 BATCH`", "check", "models:/bench/1", "BATCH"),
            _command(
                *("the same, its contract kept", "check", "models:/bench/1", "BATCH"), kept=True
            ),
            _python("import polars"),
            _python("import mlflow"),
            _python("import great_expectations"),
        ),
        "python, `pass`",
    ),
    "feed": Row(
        "A feed of one large batch",
        "10,000,000 rows of 20 columns, clean and with a null in one row of 1,000: judged, split, "
        "scored by a model that adds two columns, published.",
        (
            Entry(f"{_GATE}, clean", "scoring.feed", _LONG),
            Entry(f"{_GATE}, 0.1 % bad", "scoring.feed", _LONG._replace(per_mille=1)),
            Entry(_SCRIPT, "scoring.script", _LONG),
        ),
        _SCRIPT,
        warm=False,
    ),
    "small": Row(
        "200 small batches",
        "200 files of 100 rows of 20 columns: judged, scored, published, each with its receipt. "
        "Of Prefect's flows the processor time of the flow's own process is told.",
        tuple(
            Entry(label, f"scoring.{name}", _SMALL, {"batches": 200})
            for name, label in {
                "feed": f"{_GATE}, `score`",
                "feed_flow": f"{_GATE}, `score_batches`",
                "script": _SCRIPT,
                "empty_flow": "Prefect, 200 mapped tasks that do nothing",
            }.items()
        ),
        _SCRIPT,
        each=(200, "batch"),
        warm=False,
    ),
    "receipts": Row(
        "Many old receipts",
        "100 batches of 100 rows in a feed with 50,000 receipts, and with none.",
        tuple(
            Entry(f"{_GATE}, {label}", "scoring.old_receipts", _SMALL, {"batches": 100, "old": old})
            for old, label in ((50_000, "50,000 receipts"), (0, "none"))
        ),
        f"{_GATE}, none",
        each=(100, "batch"),
        warm=False,
    ),
    "past": Row(
        "Looking at a long past",
        "The pages of a feed, and what there is to do in its inbox.",
        (
            Entry("overview of 50,000 receipts", "scoring.overview", _SMALL, {"old": 50_000}),
            Entry("100,000 files with receipts", "scoring.survey", _SMALL, {"old": 100_000}),
        ),
        "overview of 50,000 receipts",
        warm=False,
    ),
}
