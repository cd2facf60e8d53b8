"""``signature-gate init``: a new feed, with a policy that fits a sample of its data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ...expectations.credentials import mask_uri
from ...expectations.errors import Misuse
from ...expectations.escaping import slug
from ...expectations.wording import counted
from ..terminal import console as terminal
from ..terminal.verdict import show_verdict
from .options import Timeout  # noqa: TC001 - Typer resolves it when the command runs

if TYPE_CHECKING:
    from ...expectations.contract.contract import Contract
    from ...expectations.verdict.verdict import Verdict
    from ...tasks.feed.feed import Feed
    from ...tasks.setup.fit import FittedPolicy


def init(
    model: Annotated[
        str | None, typer.Argument(help="MLflow model URI, such as models:/flights@champion.")
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Name of the feed; the registered model's by default.")
    ] = None,
    inbox: Annotated[
        Path | None,
        typer.Option(help="Folder where batches arrive; inbox/ in the feed's folder by default."),
    ] = None,
    sample: Annotated[
        str | None,
        typer.Option("--from", metavar="FILE", help="A batch to fit the policy to; only read."),
    ] = None,
    feeds: Annotated[Path, typer.Option(help="Folder of the feed files.")] = Path("feeds"),
    schedule: Annotated[str, typer.Option(help="Cron expression.")] = "*/10 * * * *",
    timezone: Annotated[str, typer.Option(help="Time zone of the schedule.")] = "UTC",
    timeout: Timeout = None,
) -> None:
    """Write a feed's file; --from fits a policy to your data.

    Without a model it asks. Nothing is guessed silently: each field of the policy has its reason as
    a comment, and what fits in two ways is left open. No file is overwritten.
    """
    from ...tasks.setup.new_feed import NewFeed, write_feed

    asked = model is None
    uri = model or typer.prompt("Model (an MLflow URI such as models:/flights@champion)")
    # Runs work in folders of their own.
    uri = str(Path(uri).absolute()) if Path(uri).exists() else uri
    contract, proposed = _load(uri, timeout)
    chosen = name or proposed
    if asked:
        chosen = typer.prompt("Name of the feed", default=chosen)
        inbox = inbox or _prompt_folder("Folder where batches arrive", feeds / chosen / "inbox")
        sample = sample or typer.prompt("A batch to fit the policy to, if any", default="") or None
    fitted = _fit(sample, contract) if sample else None
    new = NewFeed(chosen, uri, schedule, timezone, inbox)
    _show_next(*write_feed(new, feeds, contract, fitted))


def _prompt_folder(question: str, default: Path) -> Path | None:
    answer = Path(typer.prompt(question, default=str(default)))
    return None if answer == default else answer


def _load(uri: str, timeout: float | None) -> tuple[Contract, str]:
    """Load the contract of a model, and make a feed's name from the model's."""
    from .check import load_contract

    contract = load_contract(uri, timeout)
    if contract.model is None or Path(uri).is_file():
        msg = f"{mask_uri(uri)} is a suite, which judges but cannot score. Name the model's URI."
        raise Misuse(msg)
    return contract, slug(contract.model.name or "feed")


def _fit(sample: str, contract: Contract) -> FittedPolicy:
    from ...tasks.setup.fit import fit_policy

    with terminal.spinner(f"fitting a policy to {sample}"):
        fitted = fit_policy(sample, contract)
    terminal.print_line(f"before     {_headline(fitted.before)}")
    for word, proposals in (("set", fitted.taken), ("left open", fitted.left_open)):
        for proposal in proposals:
            terminal.print_line(f"{word:<10} {proposal}  # {proposal.reason}")
    terminal.print_line(f"after      {_headline(fitted.after)}")
    terminal.print_blank()
    if fitted.after.violations:
        show_verdict(fitted.after)
        terminal.print_blank()
    return fitted


def _headline(verdict: Verdict) -> str:
    faults = counted(len(verdict.blocking), "violation")
    return f"{verdict.summary().splitlines()[0]}, {faults}"


def _show_next(path: Path, feed: Feed) -> None:
    terminal.print_line(f"written    {path}")
    terminal.print_line(f"inbox      {feed.inbox}")
    terminal.print_line(f"next       signature-gate score {path} --dry-run")
    terminal.print_line(f"           signature-gate score {path}")
    terminal.print_line(f"           signature-gate deploy {path}")
