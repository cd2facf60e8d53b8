"""The command that learns what values a model was trained on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...expectations.credentials import mask_uri
from ...expectations.errors import InvalidValues, Misuse
from ...expectations.wording import counted, listed
from ..terminal import console as terminal
from ..terminal.progress import reading
from ..terminal.values import show_profile
from .options import NOT_PASSED, AsJson, PolicyFile, Timeout

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...expectations.contract.contract import Contract
    from ...expectations.contract.policy import Policy
    from ...expectations.values.profile import ValueProfile
    from ...tasks.feed.feed import Feed

_NAMED = 5  # files
_Model = Annotated[
    str | None,
    typer.Argument(
        help="MLflow model URI, MLmodel folder or suite JSON; by default the model of the feed."
    ),
]
_Data = Annotated[
    list[str] | None,
    typer.Argument(
        help="Files or folders that the model was trained on, in the order of time; by default the "
        "files that its training run logged by mlflow.log_input. Of sixteen, or of sixteen files "
        "in a folder, each is taken for a batch."
    ),
]
_FeedFile = Annotated[
    Path | None,
    typer.Option(
        "--feed", help="YAML file of a feed whose accepted batches are learned from, and no DATA."
    ),
]
_Last = Annotated[int, typer.Option(min=1, help="Batches of the feed to look back on.")]
_Out = Annotated[
    Path | None, typer.Option(help="Write the profile to this file, and not beside the model.")
]
_Redact = Annotated[
    bool, typer.Option("--redact", help="Leave out domains and patterns, and round numbers.")
]
_Replace = Annotated[
    bool, typer.Option("--replace", help="Replace the profile that the model has already.")
]
_BlockRows = Annotated[
    int, typer.Option(min=20, help="Rows of a usual batch: between so many, values may vary.")
]


def learn(
    model: _Model = None,
    data: _Data = None,
    feed: _FeedFile = None,
    last: _Last = 200,
    out: _Out = None,
    policy: PolicyFile = None,
    redact: _Redact = False,
    replace: _Replace = False,
    block_rows: _BlockRows = 1_000,
    as_json: AsJson = False,
    timeout: Timeout = None,
) -> None:
    """Learn what values a model was trained on.

    That is kept beside the model. From then on `check` and `score` tell batches whose values are
    unlike these: another unit, a new code, a column full of nulls. The model is never loaded.

    signature-gate learn models:/flights@champion january.parquet february.parquet

    signature-gate learn --feed feeds/flights.yaml
    """
    from ...expectations.contract.policy import Policy

    of_feed = _feed(feed, model, data)
    uri = model or (of_feed.model if of_feed else "")
    _refuse_existing(out, replace=replace)
    known = _contract(uri, timeout, afresh=replace or out is not None)
    chosen = Policy.load(policy) if policy else of_feed.policy if of_feed else None
    batches = data or _found(of_feed, uri, known, chosen, last=last, timeout=timeout)
    options: dict[str, Any] = {"policy": chosen, "redact": redact, "block_rows": block_rows}
    profile = _learned(batches, contract=known, **options)
    place = _keep(profile, uri, out, replace=replace)
    if as_json:
        typer.echo(profile.to_json(), nl=False)
    else:
        show_profile(profile)
        terminal.print_line(f"profile    {place}")


def _learned(batches: Sequence[str], **options: Any) -> ValueProfile:
    from ...expectations.judge.learned import learning
    from ...expectations.verdict.verdict import BatchRejected

    try:
        with reading(*batches, doing="learning"):
            return learning.learn(*batches, **options)
    except BatchRejected as error:
        terminal.print_error(f"signature-gate: {error}")
        raise typer.Exit(NOT_PASSED) from None


def _feed(file: Path | None, model: str | None, data: Sequence[str] | None) -> Feed | None:
    from ...tasks.feed.feed import Feed

    if file and data:
        msg = "--feed and DATA exclude each other: name the batches, or the feed that has them"
        raise typer.BadParameter(msg)
    if not (file or model):
        msg = "name a MODEL, or a feed by --feed"
        raise typer.BadParameter(msg)
    return Feed.load(file) if file else None


def _refuse_existing(out: Path | None, *, replace: bool) -> None:
    if out and out.exists() and not replace:
        msg = f"{out} exists and is not overwritten. Name another file, or add --replace."
        raise Misuse(msg)


def _contract(uri: str, timeout: float | None, *, afresh: bool) -> Contract:
    """Load the contract; a profile that the model has is refused before anything is read."""
    from ...expectations.registry.client import load_contract
    from ...expectations.registry.values import refuse_second

    with terminal.spinner(f"reading the contract of {mask_uri(uri)}"):
        try:
            known = load_contract(uri, timeout)
        except InvalidValues:
            if not afresh:
                raise
            return load_contract(uri, timeout, with_values=False)
    if not afresh:
        refuse_second(known.values, uri)
    return known


def _found(
    feed: Feed | None,
    uri: str,
    contract: Contract,
    policy: Policy | None,
    *,
    last: int,
    timeout: float | None,
) -> list[str]:
    """Find what to learn from: what a feed accepted, or what the training run logged."""
    if feed is None:
        from ...expectations.registry.training_data import training_data

        found = training_data(uri, timeout)
        terminal.print_error(f"learning from {listed(found, _NAMED)}, as the training run logged")
        return found
    from ...tasks.monitoring.accepted_batches import accepted_batches

    accepted = accepted_batches(feed, contract, policy or feed.policy, last)
    for reason, count in accepted.left_out.items():
        terminal.print_error(
            f"left out: {counted(count, 'accepted batch', 'accepted batches')} that {reason}"
        )
    return [str(path) for path in accepted.paths]


def _keep(profile: ValueProfile, model: str, out: Path | None, *, replace: bool) -> str:
    if out:
        profile.save(out)
        return str(out)
    return profile.log_to(model, replace=replace)
