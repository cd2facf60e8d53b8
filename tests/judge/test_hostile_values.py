"""Names and values that try to act: in Prefect, on a terminal, in templates, on the pages of feeds.

Reports with a hostile verdict stand in ``test_report_in_browser``, pictures and histories in
``test_pages_in_browser``, single texts in ``test_display``. Here hostile batches go all the way.
"""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
import sample_histories
import sample_verdicts
import yaml
from commands import run
from feeds import (
    deliver,
    rows,
)
from markdown_it import MarkdownIt
from unusual_models import register

from signature_gate.expectations.contract.contract import Contract
from signature_gate.expectations.contract.policy import Policy
from signature_gate.expectations.judge.checking import check
from signature_gate.expectations.report.feed_pages import DriftNote
from signature_gate.tasks.monitoring.pages import write_overview
from signature_gate.tasks.quarantine.entries import entry_names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from browser import Visitor

    from signature_gate.tasks.feed.feed import Feed

    FeedMaker = Callable[..., Feed]

pytest_plugins = ["browser"]

ATTACKS = (
    *(attack for attack in sample_verdicts.ATTACKS if "\ud83d" not in attack),
    "[pay here](http://evil.example/pay)",
    "![pixel](http://evil.example/pixel.png)",
    "[x](javascript:window.hacked=1)",
    "](http://evil.example) [",
    "http://evil.example/bare",
    "cell | of | a table\n| --- |",
    "`code` ``` fence",
    "\x1b[2Jcleared\x1b]0;title\x07\x9b31m",
    "\x1b]8;;http://evil.example\x1b\\click\x1b]8;;\x1b\\",
    "line\r\nsignature-gate: all is well",
    "zero\u200bwidth\ufeff \u2067right\u2069",
    '=HYPERLINK("http://evil.example","x")',
    "=1+1",
    "@SUM(1)",
    "+cmd",
    "-rf",
    "{{ 7 * 7 }}{% for x in y %}${7 * 7}",
    "L" * 10_000,
)
# Controls but the line end, C1 ones among them, and all that turns or hides the direction.
ACTING = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]")


def file_names() -> Iterator[str]:
    """List the attacks that can be part of a file's name."""
    for number, attack in enumerate(ATTACKS):
        if "/" not in attack and "\x00" not in attack and len(attack) < 200:
            yield f"{number:02}{attack}"


def in_csv(cells: tuple[str, ...]) -> bytes:
    """Write cells where numbers should be."""
    frame = pl.DataFrame({"a": cells, "n": [str(i) for i in range(len(cells))]})
    return frame.write_csv(quote_style="always").encode()


@pytest.fixture(name="hostile", scope="module")
def hostile_model(registry: str) -> str:
    """Register a model whose error is an attack."""
    from mlflow.models import ModelSignature
    from mlflow.types.schema import ColSpec, ParamSchema, ParamSpec, Schema

    words = " ".join(ATTACKS[:-1])

    def predict(_: Any, __: dict[str, Any]) -> Any:
        raise ValueError(words)

    params = ParamSchema([ParamSpec("mood", "string", "good")])
    inputs = Schema([ColSpec("double", "a"), ColSpec("long", "n")])
    return register("hostile", predict, ModelSignature(inputs, params=params))


@pytest.fixture
def attacked(make_feed: FeedMaker, line: str, hostile: str, tmp_path: Path) -> dict[str, Feed]:
    """Fill feeds with files, columns, cells, keys and errors that are attacks."""
    split = {"keep": [], "on_mismatch": "split", "max_rejected": 1.0, "sample_rows": 40}
    names = make_feed("names")
    cells = make_feed("cells", policy=split)
    raising = make_feed("raising", model=hostile, params={"mood": ATTACKS[0]})
    for name in file_names():
        deliver(names, f"{name}.parquet", rows(2, a=["x", "y"]))
    deliver(cells, "cells.csv", in_csv(ATTACKS))
    wide = rows(2).with_columns(pl.lit(attack).alias(attack) for attack in ATTACKS)
    wide.write_parquet(cells.inbox / "columns.parquet")
    (cells.inbox / "keys.jsonl").write_text(
        "\n".join(json.dumps({"a": {attack: attack}, "n": 1, attack: 1}) for attack in ATTACKS)
    )
    for number, attack in enumerate(ATTACKS[:9]):
        deliver(
            raising, f"{number}{attack.replace('/', '')[:100]}.parquet".replace("\x00", ""), rows(1)
        )
    made = {"names": names, "cells": cells, "raising": raising}
    for name, feed in made.items():
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(feed.model_dump(mode="json")))
    return made


# ----- Prefect -----


def artifacts_of(name: str) -> list[dict[str, Any]]:
    """Fetch the artifacts of a feed, as the server keeps them."""
    from prefect.client.orchestration import get_client

    wanted = {"artifacts": {"key": {"like_": f"signature-gate-{name}"}}, "limit": 20}
    with get_client(sync_client=True) as client:
        return client.request("POST", "/artifacts/filter", json=wanted).json()


def acting_nodes(markdown: str) -> list[tuple[str, str]]:
    """List links, images and tags of a text that Prefect's pages show as Markdown."""
    parser = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    tokens = parser.parse(markdown)
    nodes = [*tokens, *(child for token in tokens for child in token.children or ())]
    acting = ("link_open", "image", "html_inline", "html_block", "fence", "code_block")
    return [(node.type, node.content) for node in nodes if node.type in acting]


def texts_in(told: Any) -> Iterator[str]:
    """List every text within plain data."""
    if isinstance(told, str):
        yield told
    elif isinstance(told, list | dict):
        for part in told.values() if isinstance(told, dict) else told:
            yield from texts_in(part)


@pytest.mark.usefixtures("prefect_server")
def test_prefect_shows_attacks_as_text(
    attacked: dict[str, Feed], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Artifacts hold no link but to reports, no image, no tag; events and states no control."""
    from prefect.client.orchestration import get_client

    from signature_gate.flows.scoring import score_batches

    monkeypatch.setenv("SIGNATURE_GATE_REPORTS_URL", "http://reports.example")
    messages = [score_batches(feed, return_state=True).message for feed in attacked.values()]

    assert not [message for message in messages if ACTING.search(message or "") or "\n" in message]
    for name in attacked:
        kept = artifacts_of(name) + artifacts_of(f"{name}-%")
        assert len(kept) >= 2
        for artifact in kept:
            data = artifact["data"]
            shown = [data, artifact["description"]]
            if artifact["type"] == "table":
                shown = [*texts_in(json.loads(data)), artifact["description"]]
            nodes = [node for text in shown for node in acting_nodes(text)]
            assert {kind for kind, _ in nodes} <= {"link_open"}, (artifact["key"], nodes)
            assert not re.search(r"\]\((?!http://reports\.example/)", data.replace("\\]", ""))
            assert not ACTING.search(data)
        wanted = {"filter": {"resource": {"id": [f"signature-gate.feed.{name}"]}}}
        for _ in range(100):
            with get_client(sync_client=True) as client:
                told = client.request("POST", "/events/filter", json=wanted).json()["events"]
            if told:
                break
            time.sleep(0.1)
        payloads = [text for event in told for text in texts_in(event["payload"])]
        assert payloads
        assert not [text for text in payloads if ACTING.search(text)]


def test_prefect_s_templates_take_attacks_for_text() -> None:
    """An automation fills an event's words in; what looks like a template in them is not run."""
    from prefect.server.utilities.user_templates import render_user_template_sync

    told = {"payload": {"message": "{{ 7 * 7 }}{% for x in y %}"}}

    shown = render_user_template_sync("{{ event.payload.message }}", {"event": told})

    assert shown == told["payload"]["message"]


# ----- terminals -----


def test_no_command_lets_an_attack_act_on_the_terminal(
    attacked: dict[str, Feed],
    hostile: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Whatever is printed is printable; documents are ASCII, and hold the very names."""
    feeds = {name: str(tmp_path / f"{name}.yaml") for name in attacked}
    inbox = attacked["cells"].inbox
    columns, cells, keys = (
        str(inbox / name) for name in ("columns.parquet", "cells.csv", "keys.jsonl")
    )
    odd = tmp_path / b"\xff\x9b.parquet".decode(errors="surrogateescape")
    deliver(attacked["cells"], "odd.parquet", rows(2, a=["x", "y"])).rename(odd)
    checks = [["check", hostile, str(path)] for path in (columns, cells, keys, odd)]
    checks += [["check", hostile, str(path)] for path in attacked["names"].inbox.iterdir()]
    commands = [
        *checks[:12],
        *([*check_, "--json"] for check_ in checks[:5]),
        ["check", hostile, f"gone{ATTACKS[20]}.csv"],
        ["diff", hostile, columns],
        ["diff", hostile, columns, "--json"],
        ["preflight", hostile, "--batches", str(inbox)],
        ["score", feeds["names"]],
        ["score", feeds["cells"], "--json"],
        ["score", feeds["raising"]],
        ["score", feeds["raising"], "--again", "--json"],
        ["quarantine", "list", *feeds.values()],
        ["drift", feeds["cells"]],
        ["drift", feeds["names"], "--json"],
        ["overview", *feeds.values(), "--out", str(tmp_path / "overview")],
        ["quarantine", "show", feeds["names"], ATTACKS[18]],
    ]
    printed = [(command, *run(capsys, *command)) for command in commands]
    for name in ("names", "cells"):
        for entry in entry_names(attacked[name]):
            command = ["quarantine", "show", feeds[name], entry]
            printed.append((command, *run(capsys, *command)))

    for command, code, out, err in printed:
        assert code in (0, 1, 2, 3), (command, err)
        assert out or err
        assert "Traceback" not in err
        assert not ACTING.search(out + err), command
        if "--json" in command and code < 2:
            assert out.isascii()
            json.loads(out)
    table = [out for command, _, out, _ in printed if command == checks[0] + ["--json"]]
    assert set(ATTACKS) <= {name for name, _ in json.loads(table[0])["batch"]["columns"]}


# ----- pages -----


def test_the_pages_of_attacked_feeds_run_nothing_and_ask_for_nothing(
    make_feed: FeedMaker, line: str, hostile: str, visit: Visitor, tmp_path: Path
) -> None:
    """Feeds of hostile receipts: no script, no dialog, no request, and a policy against them."""
    feed = sample_histories.feed_at(tmp_path / "flights")
    sample_histories.keep(feed, *_receipts())
    for name in file_names():
        feed.quarantined(name).mkdir()
    notes = [DriftNote(attack, "critical", ATTACKS, attack) for attack in ATTACKS]
    index = write_overview([feed], tmp_path / "overview", {"flights": notes})

    pages = [index, *index.parent.rglob("feed-flights/*.html")]
    assert len(pages) >= 3
    for page in pages:
        _look(visit, page)


def test_the_report_of_an_attack_runs_nothing_and_asks_for_nothing(
    registry: str, hostile: str, visit: Visitor, tmp_path: Path
) -> None:
    """Cells that were read from a file, in a report that was made of their verdict."""
    from signature_gate.expectations.report.batch_report import write_report

    path = tmp_path / "cells.csv"
    path.write_bytes(in_csv(ATTACKS))
    verdict = check(path, Contract.load(hostile), Policy(sample_rows=40)).verdict

    shown = _look(visit, write_report(tmp_path / "report.html", verdict))

    assert "[pay here](http://evil.example/pay)" in shown
    assert "{{ 7 * 7 }}{% for x in y %}" in shown


def _receipts() -> Iterator[Any]:
    for number, attack in enumerate(ATTACKS):
        text = attack.encode("utf-8", "replace").decode()
        verdict = sample_verdicts.flights(
            sample_verdicts.LATE_DEPARTURES.model_copy(update={"column": text, "observed": text})
        )
        receipt = sample_histories.receipt(number, verdict, version=text)
        batch = receipt.batch.model_copy(update={"name": text, "columns": ((text, text),)})
        yield receipt.model_copy(update={"batch": batch})
    yield from (sample_histories.receipt(100 + number) for number in range(70))


def _look(visit: Visitor, path: Path) -> str:
    dialogs = list[str]()
    with visit(path) as opened:
        page = opened.page
        page.on("dialog", lambda dialog: dialogs.append(dialog.message))
        page.mouse.move(300, 300)
        page.reload()
        guarded = page.locator("meta[http-equiv='Content-Security-Policy']")
        assert "default-src 'none'" in str(guarded.get_attribute("content"))
        assert page.evaluate("window.hacked") is None
        assert page.locator("script, img, iframe, object, embed, [onload], [onerror]").count() == 0
        links = page.locator("a[href]").evaluate_all("all => all.map(a => a.protocol)")
        assert set(links) <= {"file:"}
        assert set(opened.requests) == {path.as_uri()}
        assert opened.complaints == []
        assert dialogs == []
        shown = page.inner_text("body")
    assert not re.search("[\x00-\x08\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", shown)
    return shown
