"""The pages of docs/reference/, made from the code; ``make reference`` writes them.

A test holds the pages to what this makes.
"""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, get_args
from unittest.mock import patch

import sample_histories
import sample_verdicts
import yaml
from field_tables import facts, first_line, settings, table
from repository import ROOT

from signature_gate.expectations import errors
from signature_gate.expectations.contract.model_version import ModelVersion
from signature_gate.expectations.contract.policy import CsvDialect, Policy
from signature_gate.expectations.verdict.cause import Cause
from signature_gate.expectations.verdict.conversion import Conversion
from signature_gate.expectations.verdict.explain import KINDS_IN_WORDS
from signature_gate.expectations.verdict.rule_result import RuleResult
from signature_gate.expectations.verdict.verdict import BatchInfo, Verdict, Violation
from signature_gate.flows.cli.main import _EXIT_CODES, app
from signature_gate.flows.cli.options import INTERRUPTED, UNREAD
from signature_gate.tasks.alerts.alert import alert_of_drift, alerts_of_silence
from signature_gate.tasks.alerts.automations import _ALERTS
from signature_gate.tasks.feed.feed import Feed
from signature_gate.tasks.feed.receipt import Outcome
from signature_gate.tasks.feed.safe_folders import Folders
from signature_gate.tasks.monitoring.announced import AnnouncedState, News
from signature_gate.tasks.monitoring.drift_report import DriftReport
from signature_gate.tasks.prefect_tasks import events as emitted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pydantic import BaseModel

FOLDER = ROOT / "docs" / "reference"
_MADE = "Made by `make reference` from {}; change it there.\n"
_MODEL = ModelVersion(uri="models:/flights@champion", pinned="models:/flights/3", version="3")


def _page(title: str, source: str, *parts: str) -> str:
    return "\n".join([f"# {title}\n", _MADE.format(source), *parts])


# ----- models -----


def policy() -> str:
    """Write the page of the policy's fields."""
    return _page(
        "Policy",
        "`expectations/contract/policy.py`",
        "A YAML file of its own for `--policy`, and the field `policy` of a feed.\n",
        settings(Policy),
        "## CsvDialect\n",
        "The field `csv`: nothing is guessed.\n",
        settings(CsvDialect),
    )


def feed() -> str:
    """Write the page of a feed's fields."""
    return _page(
        "Feed",
        "`tasks/feed/feed.py`",
        "The YAML file of a feed. Editors check it as you type, with "
        "[feed.schema.json](../../deployments/feeds/feed.schema.json).\n",
        settings(Feed),
        "## Folders\n",
        "The field `folders`. Each stands below `root` under its own name unless it is named.\n",
        settings(Folders),
    )


def verdict() -> str:
    """Write the page of a verdict's fields."""
    parts = (BatchInfo, ModelVersion, Violation, Cause, Conversion, RuleResult)
    kinds = table(("kind", "means"), ((f"`{kind}`", words) for kind, words in _kinds()))
    return _page(
        "Verdict",
        "`expectations/verdict/verdict.py`",
        "What `check --json` prints and `verdict.json` in the quarantine holds. "
        "`Verdict.from_json` reads it back. None is `null`.\n",
        facts(Verdict),
        *(text for part in parts for text in _section(part)),
        "## Kinds of violations\n",
        kinds,
    )


def _section(model: type[BaseModel]) -> tuple[str, ...]:
    return (f"## {model.__name__}\n", f"{first_line(model)}\n", facts(model))


def _kinds() -> Iterator[tuple[str, str]]:
    return ((kind, f"{words[:1].upper()}{words[1:]}.") for kind, words in KINDS_IN_WORDS.items())


# ----- the command line -----


def exit_codes() -> str:
    """Write the page of exit codes, and of the errors that lead to them."""
    said = str(app.info.help).partition("Exit codes: ")[2].rstrip(".")
    codes = [tuple(part.strip().split(" ", 1)) for part in said.split(";")]
    codes.append((str(INTERRUPTED), "interrupted from the keyboard"))
    codes.append((str(UNREAD), "nobody reads what it prints any more, as in `… \\| head`"))
    raised = [
        (f"`{kind.__name__}`", str(_code(kind)), first_line(kind))
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, errors.GateError)
    ]
    return _page(
        "Exit codes",
        "`flows/cli/main.py`",
        "Bad data is a verdict and gives 1; broken machinery and wrong usage are errors.\n",
        table(("code", "means"), codes),
        "Of several feeds the worst counts.\n",
        "## Errors\n",
        "All derive from `GateError`. Their text goes to stderr, after `signature-gate:`.\n",
        table(("error", "code", "means"), raised),
    )


def _code(kind: type[errors.GateError]) -> int:
    return next(code for base, code in _EXIT_CODES if issubclass(kind, base))


def cli() -> str:
    """Write the page of all commands, as Typer documents them."""
    module = "signature_gate.flows.cli.main"
    command = [sys.executable, "-m", "typer", module, "utils", "docs", "--name", "signature-gate"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    _, _, text = done.stdout.partition("\n\n")
    return _page("Command line", "`flows/cli/`", text)


# ----- events -----

# What the keys of payloads hold; one that is emitted and not listed fails.
_PAYLOAD = {
    "severity": "`critical` for what keeps batches from the model, `warning`, or `info`",
    "subject": "one line, as in notifications",
    "message": "a few lines, as in notifications",
    "batch": "the batch's id; without a feed its name",
    "receipt": "file name of the receipt",
    "rows": "rows that arrived",
    "scored": "rows with a prediction",
    "rejected": "rows kept from the model",
    "predictions": "path of the predictions, from the feed's root",
    "quarantine": "path of the quarantine entry, from the feed's root",
    "summary": "why, in a sentence or a few lines",
    "causes": "what the rejected rows have in common, a sentence each",
    "violations": "the first 20: `kind`, `column`, `rows`, `severity`, `message`",
    "breaking": "whether a change is breaking",
    "changes": "the first 20: `effect`, `kind`, `path`, `between`, `message`",
    "values": "the first 20 columns whose values shifted: `column`, `statistic`",
    "batches": "how many batches were compared",
    "since": "the first batch with the new schema",
    "would_not_pass": "how many of the last batches the version would not pass",
    "previous": "the version before",
    "report": "path of the newest batch's report",
}


def events() -> str:
    """Write the page of events, from what is emitted for samples."""
    outcomes = [outcome for part in get_args(Outcome) for outcome in get_args(part)]
    news = [f"signature-gate.{name}" for name in get_args(News)]
    of_batch = _emitted(_announce_batch)
    of_drift = _emitted(
        lambda: emitted.emit(alert_of_drift(_drift(), "schema.drifted", AnnouncedState()))
    )
    of_call = _emitted(lambda: emitted.announce_verdict(sample_verdicts.flights(), str(_MODEL)))
    return _page(
        "Events",
        "`tasks/prefect_tasks/events.py` and `tasks/alerts/automations.py`",
        "What flows emit on a server. [Work with events](../how-to/events.md) uses them.\n",
        "## Of a batch\n",
        f"Each is named `signature-gate.batch.<outcome>`, of {_listed(outcomes)}.\n",
        _labels(of_batch),
        _payload(of_batch),
        "`gate_batch` knows no feed: it emits the same names on a resource "
        f"`signature-gate.model.<name>`, with {_listed(of_call['payload'])}.\n",
        "## Of a feed\n",
        f"Once per change of state: {_listed(news)}.\n",
        _labels(of_drift),
        _payload(of_drift),
        f"With `severity`, `subject` and `message` alone, once per silence and at its end, where "
        f"`expect_every` is set: {_listed(_of_silence())}.\n",
        "## Automations that react\n",
        "`alerts install` makes the first ones, `deploy` the last.\n",
        table(("automation", "does", "events"), _automations()),
    )


def _emitted(act: Callable[[], None]) -> dict[str, Any]:
    with patch.object(emitted, "emit_event") as emit:
        act()
    return emit.call_args.kwargs


def _announce_batch() -> None:
    with TemporaryDirectory() as folder:
        emitted.announce(sample_histories.feed_at(Path(folder)), sample_histories.receipt(1))


def _drift() -> DriftReport:
    return DriftReport(feed="flights", model=_MODEL, version="3", contract="c")


def _of_silence() -> list[str]:
    now, model = datetime.now(UTC), str(_MODEL)
    feed = Feed.parse({"name": "flights", "model": model, "expect_every": "1d"})
    news = (*alerts_of_silence(feed, now, None), *alerts_of_silence(feed, None, now))
    return [f"signature-gate.{alert.event}" for alert in news]


def _labels(event: dict[str, Any]) -> str:
    labels = dict(event["resource"])
    resource = labels.pop("prefect.resource.id")
    return f"On the resource `{resource}`, with the labels {_listed(labels)}.\n"


def _payload(event: dict[str, Any]) -> str:
    words = ((key, _PAYLOAD[key]) for key in event["payload"])
    rows = ((f"`{key}`", f"{text[:1].upper()}{text[1:]}.") for key, text in words)
    return table(("payload", "holds"), rows)


def _automations() -> Iterator[tuple[str, str, str]]:
    for name, (words, _, names) in _ALERTS.items():
        yield f"`{name}`", words, _listed(names)
    (zombies,) = yaml.safe_load((ROOT / "deployments" / "automations.yaml").read_text("utf-8"))[
        "automations"
    ]
    yield f"`{zombies['name']}`", zombies["description"], _listed(zombies["trigger"]["after"])


def _listed(names: Any) -> str:
    return ", ".join(f"`{name}`" for name in names)


# ----- writing -----

PAGES: dict[str, Callable[[], str]] = {
    "policy.md": policy,
    "feed.md": feed,
    "verdict.md": verdict,
    "exit-codes.md": exit_codes,
    "events.md": events,
    "cli.md": cli,
}


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, page in PAGES.items():
        (FOLDER / name).write_text(page(), "utf-8")
