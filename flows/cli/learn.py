"""The command that learns what values a model was trained on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...expectations.errors import Misuse
from ..terminal import console as terminal
from ..terminal.progress import reading
from ..terminal.values import show_profile
from .check import load_contract
from .options import AsJson, Model, PolicyFile, Timeout  # noqa: TC001 - as above

if TYPE_CHECKING:
    from ...expectations.values.profile import ValueProfile


_Data = Annotated[
    list[str] | None,
    typer.Argument(help="Files or folders that the model was trained on, in the order of time."),
]
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
    model: Model,
    data: _Data = None,
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
    """
    from ...expectations.contract.policy import Policy
    from ...expectations.judge.learned import learning

    if out and out.exists() and not replace:
        msg = f"{out} exists and is not overwritten. Name another file, or add --replace."
        raise Misuse(msg)
    known, chosen = load_contract(model, timeout), Policy.load(policy) if policy else None
    options: dict[str, Any] = {
        "contract": known,
        "policy": chosen,
        "redact": redact,
        "block_rows": block_rows,
    }
    with reading(*(data or ()), doing="learning"):
        profile = learning.learn(*(data or ()), **options)
    place = _keep(profile, model, out, replace=replace)
    if as_json:
        typer.echo(profile.to_json(), nl=False)
    else:
        show_profile(profile)
        terminal.print_line(f"profile    {place}")


def _keep(profile: ValueProfile, model: str, out: Path | None, *, replace: bool) -> str:
    if out:
        profile.save(out)
        return str(out)
    return profile.log_to(model, replace=replace)
