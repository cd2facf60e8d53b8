"""The command that learns what values a model was trained on."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - Typer resolves it when the command runs
from typing import TYPE_CHECKING, Annotated

import typer

from ...expectations.errors import Misuse
from ..terminal import console as terminal
from ..terminal.progress import reading
from ..terminal.values import show_profile
from .check import load_contract
from .options import AsJson, Model, PolicyFile, Timeout  # noqa: TC001 - as above

if TYPE_CHECKING:
    from ...expectations.values.profile import ValueProfile


def learn(
    model: Model,
    data: Annotated[
        list[str] | None,
        typer.Argument(help="Files or folders that the model was trained on, in order of time."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Write the profile to this file, and not beside the model.")
    ] = None,
    policy: PolicyFile = None,
    redact: Annotated[
        bool, typer.Option("--redact", help="Leave out domains and patterns, and round numbers.")
    ] = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace the profile that the model has already.")
    ] = False,
    block_rows: Annotated[
        int, typer.Option(min=20, help="Rows of a usual batch: between so many values may vary.")
    ] = 1_000,
    as_json: AsJson = False,
    timeout: Timeout = None,
) -> None:
    """Learn what values a model was trained on, and keep that beside the model.

    From then on `check` and `score` tell batches whose values are unlike these: another unit, a new
    code, a column full of nulls. The model itself is never loaded.
    """
    from ...expectations.contract.policy import Policy
    from ...expectations.judge.learned.learning import learn as learn_values

    if out and out.exists() and not replace:
        msg = f"{out} exists and is not overwritten. Name another file, or add --replace."
        raise Misuse(msg)
    contract = load_contract(model, timeout)
    chosen = Policy.load(policy) if policy else None
    with reading(*(data or ())):
        profile = learn_values(
            *(data or ()), contract=contract, policy=chosen, redact=redact, block_rows=block_rows
        )
    place = _keep(profile, model, out, replace=replace)
    if as_json:
        typer.echo(profile.to_json(), nl=False)
        return
    show_profile(profile)
    terminal.print_line(f"profile    {place}")


def _keep(profile: ValueProfile, model: str, out: Path | None, *, replace: bool) -> str:
    if out:
        profile.save(out)
        return str(out)
    return profile.log_to(model, replace=replace)
