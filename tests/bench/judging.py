"""Each contender's way to tell whether a batch has all columns, types, values and rules.

A contender takes a path and the columns, prepares what a program would prepare once, and returns
the judgement: a call without arguments that is true where the batch fits. Imports are made when
preparing: they are not timed, but for what a library itself imports later.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from batches import Column

    Judgement = Callable[[], bool]
    Contender = Callable[[Path, list[Column]], Judgement]


# --- ours -----------------------------------------------------------------------------------------


def contract_of(columns: list[Column]) -> Any:
    """Make the contract that requires all columns."""
    from signature_gate import Contract

    inputs = [{"type": c.type, "name": c.name, "required": True} for c in columns]
    return Contract.from_signature({"inputs": json.dumps(inputs)})


def _gate(path: Path, columns: list[Column], **policy: Any) -> Judgement:
    from batches import rules_suite

    from signature_gate import Policy, check

    contract = contract_of(columns)
    if any(column.rule for column in columns):
        rules = rules_suite(columns, path.parent / "rules.json")
        policy["rules"] = str(rules)
    parsed = Policy.parse(policy)
    return lambda: check(path, contract, parsed).passed


def gate(path: Path, columns: list[Column]) -> Judgement:
    """check() under the default policy."""
    return _gate(path, columns)


def gate_footer(path: Path, columns: list[Column]) -> Judgement:
    """check() where NaN is a value, so that the footer tells all."""
    return _gate(path, columns, nan="value")


# --- scanners -------------------------------------------------------------------------------------


def _failures(column: Column, *, nan: bool = True) -> list[Any]:
    import polars as pl

    cells = pl.col(column.name)
    found = [cells.null_count()]
    if nan and column.type == "double":
        found.append(cells.is_nan().sum())
    match column.rule:
        case {"between": [low, high]}:
            found.append((~cells.is_between(low, high)).sum())
        case {"in_set": values}:
            found.append((~cells.is_in(values)).sum())
        case {"regex": pattern}:
            found.append((~cells.str.contains(pattern)).sum())
        case _:
            pass
    return [each.alias(f"{column.name}:{number}") for number, each in enumerate(found)]


def _polars(scan: Any, expressions: list[Any]) -> bool:
    return not any(scan.select(expressions).collect(engine="streaming").row(0))


def polars(path: Path, columns: list[Column]) -> Judgement:
    """Sums of nulls, NaN and broken rules, of all columns."""
    import polars as pl

    pattern = path / "*.parquet" if path.is_dir() else path

    def judge() -> bool:
        scan = pl.scan_ipc(path) if path.suffix == ".arrow" else pl.scan_parquet(pattern)
        return _polars(scan, [e for column in columns for e in _failures(column)])

    return judge


def polars_floats(path: Path, columns: list[Column]) -> Judgement:
    """Sums of NaN of the double columns alone: what no footer tells."""
    import polars as pl

    names = [column.name for column in columns if column.type == "double"]
    return lambda: _polars(pl.scan_parquet(path), [pl.col(name).is_nan().sum() for name in names])


def polars_csv_text(path: Path, columns: list[Column]) -> Judgement:
    """Read as text and cast without failing: every cell parsed, every failure counted."""
    import polars as pl

    parsed = {
        "long": lambda cells: cells.cast(pl.Int64, strict=False),
        "double": lambda cells: cells.cast(pl.Float64, strict=False),
        "datetime": lambda cells: cells.str.to_datetime(strict=False),
        "boolean": lambda cells: cells.replace_strict({"true": True, "false": False}, default=None),
        "string": lambda cells: cells,
    }
    expressions = [e for column in columns for e in _failures(column)]

    def judge() -> bool:
        scan = pl.scan_csv(path, infer_schema=False)
        cast = scan.with_columns(parsed[c.type](pl.col(c.name)) for c in columns)
        return _polars(cast, expressions)

    return judge


def polars_csv_typed(path: Path, columns: list[Column]) -> Judgement:
    """Read with a schema: a cell that does not parse is an error that names one."""
    import polars as pl

    schema = {column.name: _polars_types()[column.type] for column in columns}
    expressions = [e for column in columns for e in _failures(column)]
    return lambda: _polars(pl.scan_csv(path, schema=schema), expressions)


def polars_json(path: Path, columns: list[Column]) -> Judgement:
    """Read with a schema; text of datetimes is cast."""
    import polars as pl

    types = _polars_types() | {"datetime": pl.String()}
    schema = {column.name: types[column.type] for column in columns}
    times = [column.name for column in columns if column.type == "datetime"]
    expressions = [e for column in columns for e in _failures(column)]
    return lambda: _polars(
        pl.scan_ndjson(path, schema=schema).with_columns(
            pl.col(times).str.to_datetime(strict=False) if times else []
        ),
        expressions,
    )


def _polars_types() -> dict[str, Any]:
    import polars as pl

    return {
        "long": pl.Int64(),
        "double": pl.Float64(),
        "string": pl.String(),
        "datetime": pl.Datetime("us"),
        "boolean": pl.Boolean(),
    }


def pyarrow_footer(path: Path, columns: list[Column]) -> Judgement:
    """The null counts of a Parquet footer."""
    import pyarrow.parquet as pq

    def judge() -> bool:
        footer = pq.read_metadata(path)
        groups = [footer.row_group(number) for number in range(footer.num_row_groups)]
        counts = [
            group.column(number).statistics.null_count
            for group in groups
            for number in range(len(columns))
        ]
        return not any(counts)

    return judge


def duckdb(path: Path, columns: list[Column]) -> Judgement:
    """One aggregate in SQL."""
    import duckdb as library

    rules = {
        "between": lambda name, v: f"NOT {name} BETWEEN {v[0]} AND {v[1]}",
        "in_set": lambda name, v: f"{name} NOT IN ({', '.join(repr(each) for each in v)})",
        "regex": lambda name, v: f"NOT regexp_matches({name}, {v!r})",
    }
    types = {"long": "BIGINT", "string": "VARCHAR", "datetime": "TIMESTAMP"}
    typed = ", ".join(f"{c.name}: '{types.get(c.type, c.type.upper())}'" for c in columns)
    reader, options = {
        ".csv": ("read_csv", ""),
        ".jsonl": ("read_json", f", columns={{{typed}}}"),
    }.get(path.suffix, ("read_parquet", ""))
    files = f"{path}/*.parquet" if path.is_dir() else str(path)
    sums = [f"count(*) - count({column.name})" for column in columns]
    sums += [f"count_if(isnan({c.name}))" for c in columns if c.type == "double"]
    sums += [f"count_if({rules[k](c.name, v)})" for c in columns for k, v in c.rule.items()]
    query = f"SELECT {', '.join(sums)} FROM {reader}('{files}'{options})"  # noqa: S608 - our own names
    return lambda: not any(library.sql(query).fetchall()[0])


# --- libraries of checks --------------------------------------------------------------------------


def dataframely_schema(columns: list[Column]) -> Any:
    """Make a schema class of dataframely."""
    import dataframely as dy

    kinds = {
        "long": dy.Int64,
        "double": dy.Float64,
        "string": dy.String,
        "datetime": dy.Datetime,
        "boolean": dy.Bool,
    }

    def field(column: Column) -> Any:
        match column.rule:
            case {"between": [low, high]}:
                return kinds[column.type](nullable=False, min=low, max=high)
            case {"in_set": values}:
                return dy.String(nullable=False, check=lambda cells: cells.is_in(values))
            case {"regex": pattern}:
                return dy.String(nullable=False, regex=pattern)
            case _:
                return kinds[column.type](nullable=False)

    return type("Batch", (dy.Schema,), {column.name: field(column) for column in columns})


def dataframely(path: Path, columns: list[Column]) -> Judgement:
    """Schema.is_valid() of a lazy frame, by the streaming engine."""
    import polars as pl

    schema = dataframely_schema(columns)
    return lambda: schema.is_valid(pl.scan_parquet(path), engine="streaming")


def patito(path: Path, columns: list[Column]) -> Judgement:
    """Model.validate() of a frame."""
    from datetime import datetime
    from typing import Literal

    import patito as pt
    import polars as pl

    kinds = {"long": int, "double": float, "string": str, "datetime": datetime, "boolean": bool}

    def field(column: Column) -> Any:
        match column.rule:
            case {"between": [low, high]}:
                return kinds[column.type], pt.Field(ge=low, le=high)
            case {"in_set": values}:
                return Literal[tuple(values)], ...
            case {"regex": pattern}:
                return str, pt.Field(pattern=pattern)
            case _:
                return kinds[column.type], ...

    fields = {column.name: field(column) for column in columns}
    model: Any = type(
        "Batch",
        (pt.Model,),
        {
            "__annotations__": {name: kind for name, (kind, _) in fields.items()},
            **{name: value for name, (_, value) in fields.items() if value is not ...},
        },
    )
    return lambda: not _raises(lambda: model.validate(pl.read_parquet(path)))


def _pandera(library: Any, kinds: dict[str, Any], columns: list[Column]) -> Any:
    checks = {
        "between": lambda v: library.Check.in_range(*v),
        "in_set": library.Check.isin,
        "regex": library.Check.str_matches,
    }
    return library.DataFrameSchema(
        {
            c.name: library.Column(kinds[c.type], [checks[k](v) for k, v in c.rule.items()])
            for c in columns
        }
    )


def pandera_polars(path: Path, columns: list[Column]) -> Judgement:
    """DataFrameSchema.validate() of a Polars frame, lazily told."""
    import pandera.polars as library
    import polars as pl

    schema = _pandera(library, _polars_types(), columns)
    return lambda: not _raises(lambda: schema.validate(pl.read_parquet(path), lazy=True))


def pandera_pandas(path: Path, columns: list[Column]) -> Judgement:
    """DataFrameSchema.validate() of a pandas frame, lazily told."""
    import pandas as pd
    import pandera.pandas as library

    kinds = {
        "long": "int64",
        "double": "float64",
        "string": "str",
        "datetime": "datetime64[us]",
        "boolean": "bool",
    }
    schema = _pandera(library, kinds, columns)
    return lambda: not _raises(lambda: schema.validate(pd.read_parquet(path), lazy=True))


def pointblank(path: Path, columns: list[Column]) -> Judgement:
    """One step for each column's presence of values and each rule."""
    import pointblank as pb
    import polars as pl

    def judge() -> bool:
        steps: Any = pb.Validate(pl.read_parquet(path))
        for column in columns:
            steps = steps.col_vals_not_null(column.name)
            match column.rule:
                case {"between": [low, high]}:
                    steps = steps.col_vals_between(column.name, low, high)
                case {"in_set": values}:
                    steps = steps.col_vals_in_set(column.name, values)
                case {"regex": pattern}:
                    steps = steps.col_vals_regex(column.name, pattern)
                case _:
                    pass
        return steps.interrogate().all_passed()

    return judge


def mlflow(path: Path, columns: list[Column]) -> Judgement:
    """mlflow.models.validate_schema() of a pandas frame: what the model itself would refuse."""
    import pandas as pd
    from mlflow.models import validate_schema
    from mlflow.types import ColSpec, Schema

    schema = Schema([ColSpec(column.type, column.name) for column in columns])
    return lambda: not _raises(lambda: validate_schema(pd.read_parquet(path), schema))


def gx(path: Path, columns: list[Column]) -> Judgement:
    """A stock GX suite over a pandas frame, results by BASIC."""
    import great_expectations as library
    import pandas as pd
    from batches import rules_suite
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context = library.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    asset = context.data_sources.add_pandas("pandas").add_dataframe_asset("frame")
    whole = asset.add_batch_definition_whole_dataframe("all")
    expectations = [
        {"type": f"expect_column_{kind}", "kwargs": {"column": column.name}}
        for column in columns
        for kind in ("to_exist", "values_to_not_be_null")
    ]
    rules = json.loads(rules_suite(columns, path.parent / "rules.json").read_text("utf-8"))
    suite = library.ExpectationSuite("bench", expectations=[*expectations, *rules["expectations"]])
    read = pd.read_csv if path.suffix == ".csv" else pd.read_parquet
    return lambda: bool(whole.get_batch({"dataframe": read(path)}).validate(suite).success)


# --- readers that judge nothing -------------------------------------------------------------------


def pandas_csv(path: Path, columns: list[Column]) -> Judgement:
    """read_csv alone."""
    import pandas as pd

    return lambda: not pd.read_csv(path)[[c.name for c in columns]].isna().any(axis=None)


def pandas_json(path: Path, columns: list[Column]) -> Judgement:
    """read_json alone."""
    import pandas as pd

    return lambda: (
        not pd.read_json(path, lines=True)[[c.name for c in columns]].isna().any(axis=None)
    )


def pyarrow_csv(path: Path, columns: list[Column]) -> Judgement:
    """read_csv alone."""
    from pyarrow import csv

    # PyArrow takes an empty field of a text column for an empty text.
    options = csv.ConvertOptions(strings_can_be_null=True)
    return lambda: (
        not sum(column.null_count for column in csv.read_csv(path, convert_options=options).columns)
    )


def json_loads(path: Path, columns: list[Column]) -> Judgement:
    """json.loads() for each line."""

    def judge() -> bool:
        with path.open("rb") as lines:
            rows = (json.loads(line) for line in lines)
            return all(row[column.name] is not None for row in rows for column in columns)

    return judge


def _raises(call: Callable[[], object]) -> bool:
    try:
        call()
    except Exception:  # noqa: BLE001 - each library has its own error for rows that do not fit
        return True
    return False
