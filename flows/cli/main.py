"""The command line: ``signature-gate --help``."""

from __future__ import annotations

import json
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, cast

import typer

from ...expectations.batch.formats import formats_in_words
from ...expectations.errors import GateError, Misuse, NoContract
from .. import console as terminal
from .alerts import Notify, receivers, tell_of_run
from .alerts import app as alerts
from .diff import diff
from .drift import drift
from .options import (
    BROKEN,
    NOT_PASSED,
    PASSED,
    WRONG_USAGE,
    AsJson,
    FeedFile,
    Model,
    PolicyFile,
    Timeout,
)
from .overview import overview
from .quarantine import app as quarantine

if TYPE_CHECKING:
    from ...expectations.contract.contract import Contract
    from ...expectations.verdict.verdict import Verdict

app = typer.Typer(
    help="Judge batches against the signature of the MLflow model that will score them.\n\n"
    "MODEL is any MLflow model URI (models:/flights@champion, models:/flights/3, models:/m-…, "
    "runs:/…), a folder with an MLmodel file, or a suite JSON. MLFLOW_TRACKING_URI says where "
    "the registry is.\n\n"
    "Exit codes: 0 passed; 1 not passed; 2 wrong usage, or no such file or model; "
    "3 registry or other machinery.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

_EXIT_CODES: tuple[tuple[type[GateError], int], ...] = (
    (NoContract, NOT_PASSED),
    (Misuse, WRONG_USAGE),
    (GateError, BROKEN),
)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(version("signature-gate"))
        raise typer.Exit


@app.callback()
def _options(
    _: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None: ...


@app.command()
def check(
    model: Model,
    batch: Annotated[str, typer.Argument(help=f"{formats_in_words()}; or a folder of files.")],
    policy: PolicyFile = None,
    rules: Annotated[
        Path | None,
        typer.Option(help="GX suite JSON with rules of your own, in place of policy's."),
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="Write the report, one HTML page, to this file.")
    ] = None,
    engine: Annotated[
        str, typer.Option(metavar="polars|gx", help="What judges; gx is slow, and the reference.")
    ] = "polars",
    as_json: AsJson = False,
    timeout: Timeout = None,
) -> None:
    """Judge one batch. The model itself is never loaded, and no file is moved."""
    from ...expectations.contract.policy import Policy
    from ...expectations.judge.checking import check as judge
    from ...expectations.judge.checking import refuse

    chosen = Policy.load(policy) if policy else None
    try:
        with terminal.spinner(f"reading the contract of {model}"):
            contract = _load(model, timeout)
        if rules:
            chosen = (chosen or contract.policy or Policy()).model_copy(
                update={"rules": str(rules)}
            )
        with terminal.spinner(f"judging {batch}"):
            verdict = judge(batch, contract, chosen, cast("Any", engine)).verdict
    except NoContract as error:
        verdict = refuse(batch, error, chosen).verdict
    _deliver(verdict, report, as_json=as_json)
    raise typer.Exit(PASSED if verdict.passed else NOT_PASSED)


def _deliver(verdict: Verdict, report: Path | None, *, as_json: bool) -> None:
    if report:
        from ...expectations.report.batch_report import write_report

        write_report(report, verdict)
    if as_json:
        terminal.say_json(verdict.to_json())
        return
    terminal.show_verdict(verdict)
    if report:
        terminal.print_blank()
        terminal.print_line(f"report     {report}")


@app.command()
def contract(
    model: Model,
    out: Annotated[
        Path | None, typer.Option(help="Write the suite, which any GX project loads, to this file.")
    ] = None,
    policy: PolicyFile = None,
    as_json: AsJson = False,
    timeout: Timeout = None,
) -> None:
    """Show what a model expects, or save it as a Great Expectations suite."""
    from ...expectations.contract.policy import Policy
    from ...expectations.suite import to_suite

    with terminal.spinner(f"reading the contract of {model}"):
        loaded = _load(model, timeout)
    suite = to_suite(loaded, Policy.load(policy) if policy else loaded.policy)
    if out:
        _write(out, suite)
    if as_json:
        typer.echo(json.dumps(suite, indent=2))
        return
    terminal.show_contract(loaded)
    if out:
        terminal.print_blank()
        terminal.print_line(f"suite      {out}")


def _load(model: str, timeout: float | None) -> Contract:
    from ...expectations.contract.contract import Contract

    return Contract.load(model, timeout=timeout)


def _write(path: Path, suite: dict[str, Any]) -> None:
    if path.exists():
        msg = f"{path} is there already. Name another file; what is there is not overwritten."
        raise Misuse(msg)
    path.write_text(json.dumps(suite, indent=2) + "\n", "utf-8")


@app.command()
def preflight(
    model: Model,
    batches: Annotated[
        Path | None,
        typer.Option(help="Folder of recent batches, to see what they would have met."),
    ] = None,
    policy: PolicyFile = None,
    as_json: AsJson = False,
    timeout: Timeout = None,
) -> None:
    """Try a version before it is promoted. This LOADS THE MODEL AND RUNS ITS CODE.

    Has it a usable contract; does its own input example fit it; does a batch made from the contract
    pass the gate; does the model predict on it; is what it returns as its output schema says; what
    would recent batches have met. No batch is moved.
    """
    from ...expectations.contract.policy import Policy
    from ...tasks.preflight.preflight import preflight as try_out

    chosen = Policy.load(policy) if policy else None
    terminal.print_error(f"preflight loads {model} and runs its code")
    # What the model prints must not get into the JSON document.
    with terminal.spinner(f"trying {model}"), redirect_stdout(sys.stderr):
        found = try_out(model, batches, chosen, timeout)
    if as_json:
        terminal.say_json(found.model_dump_json(indent=2))
    else:
        terminal.show_preflight(found)
    raise typer.Exit(PASSED if found.passed else NOT_PASSED)


@app.command()
def docs(
    verdict: Annotated[Path, typer.Argument(help="Verdict that `check --json` printed.")],
    project: Annotated[
        Path, typer.Option(help="Folder of a GX project; one is begun there if it has none.")
    ],
) -> None:
    """Put a verdict into a Great Expectations project, and bring its data docs up to date."""
    from ...expectations.report.gx_docs import publish_docs

    with terminal.spinner(f"publishing {verdict}"):
        index = publish_docs(verdict, project)
    terminal.print_line(f"data docs  {index}")


@app.command()
def doctor(as_json: AsJson = False, timeout: Timeout = None) -> None:
    """Look for what commonly breaks: versions, registry, Prefect server, file system."""
    from .doctor import diagnose, show_findings

    with terminal.spinner("looking around"):
        findings = diagnose(timeout)
    if as_json:
        typer.echo(json.dumps([finding._asdict() for finding in findings], indent=2))
    else:
        show_findings(findings)
    raise typer.Exit(PASSED if all(finding.ok for finding in findings) else BROKEN)


@app.command()
def score(
    feed: FeedFile,
    again: Annotated[
        bool, typer.Option("--again", help="Score anew what another model version has scored.")
    ] = False,
    notify: Notify = None,
    as_json: AsJson = False,
    timeout: Timeout = None,
) -> None:
    """Judge and score every batch of a feed that is ready; no Prefect server is needed."""
    from ...tasks.feed.feed import Feed
    from ...tasks.scoring.feed_run import score_feed

    known, notified = Feed.load(feed), receivers(notify)
    with terminal.progress() as told:
        summary = score_feed(known, again=again, timeout=timeout, on_progress=told)
    if as_json:
        terminal.say_json(summary.model_dump_json(indent=2))
    else:
        terminal.show_summary(summary)
    tell_of_run(known, summary, notified)
    sound = not summary.of("split", "quarantined", "failed", "errored") and not summary.unfinished
    broken = summary.of("errored") or summary.unfinished
    raise typer.Exit(PASSED if sound else BROKEN if broken else NOT_PASSED)


@app.command()
def demo(
    folder: Annotated[Path, typer.Option(help="Where everything is kept.")] = Path(".demo"),
) -> None:
    """Gate and score a month of real flights, and account for every row."""
    from ..demo.demo import run_demo

    run_demo(folder)


app.add_typer(quarantine, name="quarantine")
app.add_typer(alerts, name="alerts")
app.command()(diff)
app.command()(drift)
app.command()(overview)


def main() -> NoReturn:
    """Run the command line; every error of ours becomes its message and its exit code."""
    try:
        app()
    except GateError as error:
        terminal.print_error(f"signature-gate: {error}")
        sys.exit(next(code for kind, code in _EXIT_CODES if isinstance(error, kind)))
    except KeyboardInterrupt:
        terminal.print_error("signature-gate: interrupted")
        sys.exit(130)
    except OSError as error:
        terminal.print_error(
            f"signature-gate: {error}. Check the path, its permissions and the disk."
        )
        sys.exit(BROKEN)
    sys.exit(PASSED)


if __name__ == "__main__":
    main()
