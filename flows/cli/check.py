"""The commands that judge: ``check``, ``contract`` and ``docs``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

import typer

from ...expectations.batch.formats import formats_in_words
from ...expectations.credentials import mask_uri
from ...expectations.errors import Misuse, NoContract
from ..terminal import console as terminal
from ..terminal.progress import reading
from ..terminal.verdict import show_contract, show_verdict
from .options import NOT_PASSED, PASSED, Model, PolicyFile, Timeout, Workers

if TYPE_CHECKING:
    from ...expectations.contract.contract import Contract
    from ...expectations.contract.policy import Policy
    from ...expectations.judge.result import CheckResult
    from ...expectations.readers.sql.query import Query

_FORMATS = (
    "text, json or, for CI, github (annotations), junit (XML) or markdown (a summary). The exit "
    "code is the same."
)

_FORMS = (
    "gx, a suite that any GX project loads; odcs, an Open Data Contract Standard document; "
    "json-schema, of one record; or sql, a table for PostgreSQL or DuckDB."
)

_Batch = Annotated[
    str,
    typer.Argument(
        help=f"{formats_in_words()}; a folder of files; a table of a lake: "
        "delta://PATH@VERSION, iceberg://CATALOG/namespace.table@SNAPSHOT; or, with --query, a "
        "database: postgresql://host/database, duckdb:///file or sqlite:///file."
    ),
]
_Report = Annotated[
    Path | None, typer.Option(help="Write the report, one HTML page, to this file.")
]
_Query = Annotated[
    str | None, typer.Option(metavar="SQL", help="Judge what this query of a database gives.")
]


def check(
    model: Model,
    batch: _Batch,
    query: _Query = None,
    policy: PolicyFile = None,
    rules: Annotated[
        Path | None,
        typer.Option(help="GX suite JSON, or ODCS YAML, of rules, in place of the policy's."),
    ] = None,
    report: _Report = None,
    engine: Annotated[str, typer.Option(metavar="polars|gx", help="gx is slow.")] = "polars",
    written_as: Annotated[
        Literal["text", "json", "github", "junit", "markdown"],
        typer.Option("--format", metavar="FORMAT", help=_FORMATS),
    ] = "text",
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
    workers: Workers = None,
    timeout: Timeout = None,
) -> None:
    """Judge one batch. The model is never loaded, and no file is moved.

    The contract of models:/NAME/3 is kept for a day, unless SIGNATURE_GATE_CACHE=off.
    """
    from ...expectations.contract.policy import Policy
    from ...expectations.judge import checking

    _refuse_both(as_json, written_as)
    chosen = Policy.load(policy) if policy else None
    arrived = batch if query is None else _asked(batch, query)
    try:
        contract = load_contract(model, timeout, or_kept=True)
        if rules:
            chosen = _with_rules(chosen or contract.policy or Policy(), rules)
        with reading(batch) if query is None else terminal.spinner(f"running {arrived}"):
            result = checking.check(arrived, contract, chosen, cast("Any", engine), workers)
    except NoContract as error:
        result = checking.refuse(arrived, error, chosen)
    _deliver(result, report, "json" if as_json else written_as)
    raise typer.Exit(PASSED if result.passed else NOT_PASSED)


def _asked(url: str, sql: str) -> Query:
    from ...expectations.readers.sql.query import Query

    return Query(url, sql)


def _refuse_both(as_json: bool, written_as: str) -> None:
    if as_json and written_as not in ("text", "json"):
        msg = f"--json and --format {written_as} exclude each other"
        raise typer.BadParameter(msg)


def load_contract(model: str, timeout: float | None, *, or_kept: bool = False) -> Contract:
    """Load the contract of a model, and say so while it takes time."""
    from ...expectations.registry import client

    with terminal.spinner(f"reading the contract of {mask_uri(model)}"):
        return client.load_contract(model, timeout, or_kept=or_kept)


def _with_rules(policy: Policy, rules: Path) -> Policy:
    return policy.model_copy(update={"rules": str(rules)})


def _deliver(result: CheckResult, report: Path | None, written_as: str) -> None:
    if report:
        result.report(report)
    if written_as == "json":
        terminal.print_json(result.verdict.to_json())
    elif written_as == "text":
        show_verdict(result.verdict)
        if report:
            terminal.print_blank()
            terminal.print_line(f"report     {report}")
    else:
        from ...expectations.report.ci_formats import FORMATS

        typer.echo(FORMATS[written_as](result.verdict))


def contract(
    model: Model,
    out: Annotated[
        Path | None, typer.Option(help="Write the export, by default a GX suite, to this file.")
    ] = None,
    policy: PolicyFile = None,
    written_as: Annotated[
        Literal["gx", "odcs", "json-schema", "sql"] | None,
        typer.Option("--format", metavar="FORMAT", help=_FORMS),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format gx.")] = False,
    timeout: Timeout = None,
) -> None:
    """Show what a model expects, or export it.

    The export is a GX suite if no other format is asked for.
    """
    from ...expectations.contract.policy import Policy
    from ...expectations.exporting import export

    if as_json and written_as not in (None, "gx"):
        msg = f"--json and --format {written_as} exclude each other"
        raise typer.BadParameter(msg)
    loaded = load_contract(model, timeout)
    text, left_out = export(loaded, written_as or "gx", Policy.load(policy) if policy else None)
    for each in left_out:
        terminal.err.print(terminal.plain(f"{written_as} cannot state: {each}"), soft_wrap=True)
    if out:
        _write_new(out, text)
    if as_json or (written_as and not out):
        typer.echo(text, nl=False)
        return
    show_contract(loaded)
    if out:
        terminal.print_blank()
        terminal.print_line(f"{'suite' if written_as in (None, 'gx') else 'written':<11}{out}")


def _write_new(path: Path, text: str) -> None:
    if path.exists():
        msg = f"{path} exists and is not overwritten. Name another file."
        raise Misuse(msg)
    path.write_text(text, "utf-8")


def docs(
    verdict: Annotated[Path, typer.Argument(help="Verdict that `check --json` printed.")],
    project: Annotated[
        Path, typer.Option(help="Folder of a GX project; a new one is created there if needed.")
    ],
) -> None:
    """Add a verdict to a GX project, and update its data docs."""
    from ...expectations.report.gx_docs import publish_docs

    with terminal.spinner(f"publishing {verdict}"):
        index = publish_docs(verdict, project)
    terminal.print_line(f"data docs  {index}")
