"""The command line: ``signature-gate --help``."""

from __future__ import annotations

import gc
import os
import sys
import traceback
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from ...expectations.errors import GateError, Misuse, NoContract
from ..terminal import console as terminal
from .alerts import app as alerts
from .check import check, contract, docs
from .deploy import deploy
from .diff import diff
from .doctor import doctor
from .drift import app as drift
from .init import init
from .learn import learn
from .options import BROKEN, INTERRUPTED, NOT_PASSED, PASSED, UNREAD, WRONG_USAGE
from .overview import metrics, overview
from .prune import prune
from .quarantine import app as quarantine
from .score import preflight, score

_EXIT_CODES: tuple[tuple[type[GateError], int], ...] = (
    (NoContract, NOT_PASSED),
    (Misuse, WRONG_USAGE),
    (GateError, BROKEN),
)


class _Commands(TyperGroup):
    def invoke(self, ctx: Any) -> Any:
        """Run a command; no command of ours calls ``sys.exit``, but models and libraries do."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            terminal.leave_unread()
            raise typer.Exit(UNREAD) from None
        except SystemExit as error:
            msg = f"code of the model or a library called sys.exit({error.code!r})"
            raise RuntimeError(msg) from error


app = typer.Typer(
    cls=_Commands,
    help="Judge batches against the signature of the MLflow model that will score them.\n\n"
    "MODEL is any MLflow model URI (models:/flights@champion, models:/flights/3, models:/m-…, "
    "runs:/…), a folder with an MLmodel file, or a suite JSON. MLFLOW_TRACKING_URI names "
    "the registry.\n\n"
    "Exit codes: 0 passed; 1 not passed; 2 wrong usage, or no such file or model; "
    "3 registry, disk or any other failure.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
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


app.command()(init)
app.command()(check)
app.command()(contract)
app.command()(learn)
app.command()(preflight)
app.command()(docs)
app.command()(doctor)
app.command()(score)
app.command()(deploy)


@app.command()
def demo(
    folder: Annotated[Path, typer.Option(help="Where all files of the demo go.")] = Path(".demo"),
) -> None:
    """Gate and score a month of flights; account for every row."""
    from ..demo.demo import run_demo

    run_demo(folder)


app.add_typer(quarantine, name="quarantine")
app.add_typer(alerts, name="alerts")
app.command()(diff)
app.add_typer(drift, name="drift")
app.command()(overview)
app.command()(metrics)
app.command()(prune)


def _start_fast() -> None:
    """Spare a short process, in which no model runs, a seventh of its time."""
    # To find plugins, pydantic reads what is said of every installed package.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    # Hardly anything that is imported or planned becomes garbage.
    gc.set_threshold(50_000)


def main() -> NoReturn:
    """Run the command line; every error becomes a message and an exit code."""
    if sys.argv[1:2] == ["check"]:
        _start_fast()
    try:
        app()
    except GateError as error:
        terminal.print_error(f"signature-gate: {error}")
        sys.exit(next(code for kind, code in _EXIT_CODES if isinstance(error, kind)))
    except KeyboardInterrupt:
        terminal.print_error("signature-gate: interrupted")
        sys.exit(INTERRUPTED)
    except OSError as error:
        terminal.print_error(
            f"signature-gate: {error}. Check the path, its permissions and the disk."
        )
        sys.exit(BROKEN)
    except SystemExit:
        raise
    # A PanicException of Polars is no Exception.
    except BaseException as error:  # noqa: BLE001
        terminal.print_error(traceback.format_exc())
        name = type(error).__name__
        terminal.print_error(f"signature-gate: unexpected {name}: {error}. Please report it.")
        sys.exit(BROKEN)
    sys.exit(PASSED)


if __name__ == "__main__":
    main()
