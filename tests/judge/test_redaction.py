"""Under ``redact`` no value of a batch stands in anything that a run says of it.

Planted values lie in batches of every format and fate. Then everything that was written is searched
for them: all files but the data themselves (inbox, archive, what lies in quarantine, predictions),
what Prefect's server keeps, logs, warnings, errors with their causes, MLflow's run, and what the
commands print.
"""

from __future__ import annotations

import base64
import datetime as dt
import json
import logging
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from commands import run
from feeds import (
    deliver,
    truncated,
)
from forged_parquet import NULL_COUNT, STATISTICS, Struct, chunk, forge
from small_checks import contract
from unusual_models import register

from signature_gate.expectations.batch.batch import UnreadableError
from signature_gate.expectations.contract.policy import Policy
from signature_gate.expectations.errors import BatchChanged, Misuse, ModelFailed
from signature_gate.expectations.judge.checking import check, unreadable_violation
from signature_gate.tasks.feed.history import recent_receipts
from signature_gate.tasks.quarantine.entries import entry_names
from signature_gate.tasks.quarantine.release import ReleaseOptions, release_batch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from signature_gate.tasks.feed.feed import Feed

    FeedMaker = Callable[..., Feed]

# What an escape of any kind, a repr or a cut at either end leaves whole is what is searched for.
TEXT = "plugh<'\"\\é\n>plugh"
BYTES = b'qwxz\x00\xff"<qwxz'
NUMBER = 987654321.125
WHOLE = 918273645546372819
DAY = dt.datetime(2087, 6, 5, 4, 3, 21)
SPELLINGS = re.compile(
    "|".join(
        [
            "plugh",
            "qwxz",
            b"qwxz".hex(),
            base64.b64encode(b"qwx").decode(),
            r"987[,_. ]?654[,_. ]?321",
            r"9\.876543",
            r"918[,_. ]?273[,_. ]?645",
            r"9\.182736",
            "2087-06-05",
            "2087, 6, 5",
            str(int(DAY.replace(tzinfo=dt.UTC).timestamp())),
        ]
    ),
    re.IGNORECASE,
)
_DATA = (".parquet", ".csv", ".gz", ".jsonl", ".arrow")
SPLIT = {"redact": True, "on_mismatch": "split", "max_rejected": 0.6, "keep": ["key"]}


def found_in(text: str) -> list[str]:
    """List what of the planted values is in a text, each with what stands around it."""
    return [text[max(0, m.start() - 80) : m.end() + 40] for m in SPELLINGS.finditer(text)][:3]


@pytest.mark.parametrize(
    "said",
    [
        TEXT,
        repr(TEXT),
        json.dumps(TEXT),
        repr(BYTES),
        BYTES.hex(),
        base64.b64encode(BYTES).decode(),
        str(NUMBER),
        f"{NUMBER:,}",
        f"{NUMBER:e}",
        f"{WHOLE:_}",
        str(DAY),
        repr(DAY),
        repr(pl.Series([DAY]).cast(pl.Int64)[0]),
    ],
)
def test_the_search_knows_a_value_however_it_is_spelled(said: str) -> None:
    """A search that finds nothing would prove nothing."""
    assert found_in(f"observed {said} in row 1")


# ----- the models, and what arrives -----


@pytest.fixture(name="vault", scope="module")
def vault_model(registry: str) -> str:
    """Register a model of all kinds of columns, which raises or answers as its param asks."""
    from mlflow.models import ModelSignature
    from mlflow.types.schema import (
        Array,
        ColSpec,
        Map,
        Object,
        ParamSchema,
        ParamSpec,
        Property,
        Schema,
    )
    from mlflow.types.schema import DataType as T

    def predict(taken: Any, params: dict[str, Any]) -> Any:
        import pandas as pd

        values = list(taken["text"])
        if params["mood"] == "raise":
            raise ValueError(f"cannot digest {taken.to_dict()}") from KeyError(values[0])  # noqa: EM102, TRY003
        if params["mood"] == "keys":
            return {value + str(i): [1.0] for i, value in enumerate(values)}
        answers = {"text": values, "mixed": [1.0, *values[1:]]}
        return pd.DataFrame({"score": answers.get(params["mood"], taken["a"])})

    columns = {
        "a": T.double,
        "n": T.long,
        "text": T.string,
        "info": Object([Property("name", T.string), Property("code", T.long)]),
        "marks": Map(T.long),
    }
    typed_only = {"day": T.datetime, "raw": T.binary, "tags": Array(T.string)}
    inputs = [ColSpec(kind, name, required=True) for name, kind in columns.items()]
    inputs += [ColSpec(kind, name, required=False) for name, kind in typed_only.items()]
    moods = ParamSchema([ParamSpec("mood", T.string, "good")])
    signature = ModelSignature(Schema(inputs), Schema([ColSpec(T.double, "score")]), moods)
    return register("vault", predict, signature)


def planted(count: int = 4) -> pl.DataFrame:
    """Make rows that the vault takes, planted values in all of their columns."""
    return pl.DataFrame(
        {
            "a": [NUMBER] * count,
            "n": [WHOLE] * count,
            "text": [TEXT] * count,
            "info": [{"name": TEXT, "code": WHOLE}] * count,
            "day": [DAY] * count,
            "raw": [BYTES] * count,
            "tags": [[TEXT, "b"]] * count,
            "key": [TEXT] * count,
        }
    )


def as_arrow(rows: pl.DataFrame) -> pa.Table:
    """Add the column that Polars has no type for: keys to values."""
    marks = pa.array([[(TEXT, WHOLE)]] * rows.height, pa.map_(pa.string(), pa.int64()))
    return rows.to_arrow(compat_level=pl.CompatLevel.oldest()).append_column("marks", marks)


def put(feed: Feed, name: str, rows: pl.DataFrame, **replaced: Any) -> Path:
    """Deliver rows for the vault as Parquet, some columns replaced."""
    table = as_arrow(rows)
    for column, values in replaced.items():
        table = table.set_column(table.schema.get_field_index(column), column, pa.array(values))
    path = feed.inbox / name
    pq.write_table(table, path)
    return path


def fill_with_parquet(feed: Feed, tmp_path: Path) -> None:
    """Deliver a batch of every fate."""
    put(feed, "passed.parquet", planted())
    put(feed, "split.parquet", planted(), text=[TEXT, None, TEXT, None])
    put(feed, "nulls.parquet", planted(), a=[None, None, None, NUMBER])
    put(feed, "fractions.parquet", planted(), n=[NUMBER] * 4, tags=[[TEXT, None]] * 4)
    put(feed, "late.parquet", planted(), day=pa.array([dt.date(2987, 6, 5), DAY.date()] * 2))
    put(feed, "texts.parquet", planted(), a=[TEXT] * 4, info=[TEXT] * 4)
    put(feed, "missing.parquet", planted().drop("text").with_columns(other=pl.lit(TEXT)))
    rows = as_arrow(planted())
    kinds = pa.array([TEXT] * 4).dictionary_encode()
    pq.write_table(rows.append_column("kinds", kinds), feed.inbox / "kinds.parquet")
    deliver(feed, "cut.parquet", truncated(planted().drop("info"), tmp_path))
    no_text = put(feed, "no-text.parquet", planted(), text=pa.array([BYTES] * 4))
    data = no_text.read_bytes()
    no_text.write_bytes(data.replace(BYTES, b"\xff" * len(BYTES)))
    lying = put(feed, "lying.parquet", planted(), text=[TEXT, None, TEXT, TEXT])
    forge(lying, _deny_nulls)


def _deny_nulls(footer: Struct) -> None:
    chunk(footer, column=2)[STATISTICS][NULL_COUNT] = 0


def lines_of(rows: pl.DataFrame) -> Iterator[str]:
    """Write rows for the vault as JSON lines."""
    for row in rows.drop("day", "raw").iter_rows(named=True):
        yield json.dumps({**row, "marks": {TEXT: WHOLE}})


def fill_with_lines(feed: Feed) -> None:
    """Deliver JSON lines, good ones beside all kinds of bad ones."""
    good = "\n".join(lines_of(planted(6)))
    bad = ['{"a": "plugh', '"plugh"', '{"plugh": 1, "plugh": 2}', "[" * 300 + '"plugh"']
    deliver(feed, "passed.jsonl", good.encode())
    deliver(feed, "split.jsonl", "\n".join([good, *bad]).encode() + b'\n{"a": "plugh\xff"}')
    odd = {"a": TEXT, "n": NUMBER, "text": WHOLE, "info": {"name": WHOLE, "code": TEXT}}
    odd |= {"tags": [TEXT, WHOLE, None], "key": None, "marks": {TEXT: TEXT}}
    deliver(feed, "odd.jsonl", (json.dumps(odd) + "\n" + good).encode())


def fill_with_csv(feed: Feed) -> None:
    """Deliver CSV with values where there should be others, and where no record ends."""
    good = "".join(f"{NUMBER},{i},plugh\n" for i in range(5))
    deliver(feed, "passed.csv", f"a,n,key\n{good}".encode())
    bad = f'{NUMBER},1,plugh,plugh\nplugh,2,k\n{NUMBER},{NUMBER},k\nplu"gh,1,plugh\n'
    deliver(feed, "split.csv", f"a,n,key\n{good}{bad}".encode() + b"1,\xffplugh,k\n")
    deliver(feed, "junk.csv", b"a,n,key\n" + b"plugh,987654321.125,2087-06-05\n" * 4)
    deliver(feed, "open.csv", f'a,n,key\n{good}1,2,"plugh\n{good}'.encode())
    deliver(feed, "broken.csv.gz", b"\x1f\x8b\x08\x00plugh")


@pytest.fixture
def rules(tmp_path: Path) -> str:
    """Write rules of one's own, which measure values, and one that GX alone can judge."""
    text, number = {"column": "text"}, {"column": "a"}
    own: list[tuple[str, dict[str, Any]]] = [
        ("expect_column_max_to_be_between", {**number, "max_value": 1}),
        ("expect_column_distinct_values_to_be_in_set", {**text, "value_set": ["b"]}),
        ("expect_column_values_to_be_unique", number),
        ("expect_column_values_to_match_regex", {**text, "regex": "^(?!.*zzy)"}),
    ]
    path = tmp_path / "rules.json"
    listed = [{"type": kind, "kwargs": kwargs} for kind, kwargs in own]
    path.write_text(json.dumps({"name": "own", "expectations": listed, "meta": {}}))
    return str(path)


FATES = {
    "table/passed.csv": "passed",
    "table/split.csv": "split",
    "table/junk.csv": "quarantined",
    "table/open.csv": "quarantined",
    "lines/split.jsonl": "split",
    "lines/odd.jsonl": "quarantined",
    "typed/passed.parquet": "passed",
    "typed/split.parquet": "split",
    "typed/no-text.parquet": "quarantined",
    "typed/lying.parquet": "quarantined",
    "ruled/good.parquet": "quarantined",
    "raise/good.parquet": "errored",
    "text/good.parquet": "quarantined",
    "keys/good.parquet": "quarantined",
}


# ----- what is searched -----


def chain_of(error: BaseException | None) -> Iterator[BaseException]:
    """List an error and what led to it, shown in a traceback or not."""
    while error:
        yield error
        if error.__cause__ and error.__context__ is not error.__cause__:
            yield from chain_of(error.__cause__)
        error = error.__context__


def said_by(error: object) -> str:
    """Say all that an error can tell."""
    chain = chain_of(error) if isinstance(error, BaseException) else ()
    return "\n".join(f"{one!r} {one} {one.__dict__}" for one in chain)


def written_below(folder: Path) -> Iterator[tuple[str, str]]:
    """Read every file but the data themselves."""
    for path in folder.rglob("*"):
        if path.is_file() and path.suffix not in _DATA:
            yield str(path.relative_to(folder)), path.read_text("utf-8", errors="backslashreplace")


def kept_by_prefect(since: dt.datetime) -> Iterator[tuple[str, str]]:
    """Fetch what the server keeps: runs with their states, artifacts, logs and events."""
    from prefect.client.orchestration import get_client
    from prefect.logging.handlers import APILogHandler

    APILogHandler().flush()
    after = {"after_": since.isoformat()}
    asked: dict[str, Any] = {
        "flow_runs": {"flow_runs": {"start_time": after}},
        "task_runs": {"task_runs": {"start_time": after}},
        "artifacts": {"sort": "CREATED_DESC"},
        "logs": {"logs": {"timestamp": after}},
    }
    with get_client(sync_client=True) as client:
        for kind, wanted in asked.items():
            for offset in range(0, 10_000, 200):
                page = {**wanted, "offset": offset, "limit": 200}
                answer = client.request("POST", f"/{kind}/filter", json=page).json()
                yield from ((kind, json.dumps(one, ensure_ascii=False)) for one in answer)
                if len(answer) < 200:
                    break
        wanted = {"filter": {"occurred": {"since": since.isoformat()}}, "limit": 50}
        page = client.request("POST", "/events/filter", json=wanted).json()
        while page["events"]:
            yield from (("events", json.dumps(one, ensure_ascii=False)) for one in page["events"])
            if not page["next_page"]:
                break
            page = client.request("GET", page["next_page"].split("/api", 1)[1]).json()


class Told:
    """Everything that was said, by where it was said."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.texts = dict[str, list[str]]()

    def add(self, where: str, *texts: str) -> None:
        """Note what was said."""
        self.texts.setdefault(where, []).extend(texts)

    @property
    def leaks(self) -> list[tuple[str, list[str]]]:
        """Where a planted value was told, and what stands around it."""
        every = ((where, text) for where, texts in self.texts.items() for text in texts)
        return [(where, found) for where, text in every if (found := found_in(text))]


# ----- runs, releases and commands -----


@pytest.fixture
def rooms(
    make_feed: FeedMaker, line: str, vault: str, rules: str, tmp_path: Path
) -> dict[str, Feed]:
    """Make a feed for each format and each way in which a model can tell values."""
    import mlflow

    mlflow.MlflowClient().create_experiment(f"redacted {tmp_path.name}", str(tmp_path / "mlflow"))
    logged = {"policy": SPLIT, "experiment": f"redacted {tmp_path.name}"}
    made = {
        "table": make_feed("table", **logged),
        "lines": make_feed("lines", model=vault, policy=SPLIT),
        "typed": make_feed("typed", model=vault, **logged),
        "ruled": make_feed("ruled", model=vault, policy={**SPLIT, "rules": rules}),
    }
    for mood in ("raise", "text", "mixed", "keys"):
        made[mood] = make_feed(mood, model=vault, policy=SPLIT, params={"mood": mood})
    fill_with_csv(made["table"])
    fill_with_lines(made["lines"])
    fill_with_parquet(made["typed"], tmp_path)
    for name in ("ruled", "raise", "text", "mixed", "keys"):
        put(made[name], "good.parquet", planted())
    for name, feed in made.items():
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(feed.model_dump(mode="json")))
    return made


def run_all(rooms: dict[str, Feed], told: Told) -> dict[str, str]:
    """Score every feed as a flow; say how the batches fared."""
    from signature_gate.flows.scoring import score_batches
    from signature_gate.flows.watching import watch_schema

    for feed in rooms.values():
        state = score_batches(feed, return_state=True)
        result = state.result(raise_on_failure=False)
        told.add("states", f"{state!r} {state.message} {result}", said_by(result))
    told.add("states", repr(watch_schema(rooms["typed"], return_state=True)))
    return {
        f"{name}/{receipt.batch.name}": receipt.disposition
        for name, feed in rooms.items()
        for receipt in recent_receipts(feed)
    }


def release_all(rooms: dict[str, Feed], told: Told, tmp_path: Path) -> None:
    """Release what a model chokes on, and what was repaired with values for row numbers."""
    table, typed = rooms["table"], rooms["typed"]
    raising = typed.model_copy(update={"params": {"mood": "raise"}})
    forgiving = ReleaseOptions(policy=Policy.parse({**SPLIT, "nulls": "allow"}))
    with pytest.raises(ModelFailed) as failed:
        release_batch(raising, "nulls.parquet", forgiving)
    repaired = tmp_path / "repaired.csv"
    repaired.write_text("_row,a,n,key\nplugh,1,2,plugh\n")
    with pytest.raises(Misuse) as refused:
        release_batch(table, "split.csv", ReleaseOptions(file=repaired))
    told.add("errors", said_by(failed.value), said_by(refused.value))


def command_all(
    rooms: dict[str, Feed], vault: str, tmp_path: Path, told: Told, capture: Any
) -> None:
    """Run every command that reads batches, or what was written of them."""
    deliver(rooms["table"], "more.csv", b"a,n,key\n987654321.125,plugh,k\n1,2,k\n")
    policy, verdict = tmp_path / "policy.yaml", tmp_path / "verdict.json"
    policy.write_text("{redact: true}")
    recent = Path(rooms["typed"].root, "quarantine", entry_names(rooms["typed"])[0])
    batches = {
        kind: next(path for path in tmp_path.rglob(name) if "mlflow" not in path.parts)
        for kind, name in (("typed", "texts-*.parquet"), ("lines", "odd-*.jsonl"))
    }
    feeds = {name: str(tmp_path / f"{name}.yaml") for name in rooms}
    judged = ["check", vault, str(batches["typed"]), "--policy", str(policy)]
    commands = [
        ["score", feeds["table"], "--json"],
        ["score", feeds["raise"], "--again"],
        ["quarantine", "list", *feeds.values()],
        ["quarantine", "list", *feeds.values(), "--json"],
        *(
            ["quarantine", "show", feeds[name], entry, *as_json]
            for name, as_json in (("table", []), ("lines", ["--json"]), ("typed", []))
            for entry in entry_names(rooms[name])
        ),
        ["quarantine", "discard", feeds["table"], "junk.csv", "--json"],
        ["overview", *feeds.values(), "--out", str(tmp_path / "overview")],
        ["drift", feeds["typed"]],
        ["drift", feeds["typed"], "--json"],
        [*judged, "--report", str(tmp_path / "report.html")],
        ["check", vault, str(batches["lines"]), "--policy", str(policy)],
        ["preflight", vault, "--batches", str(recent), "--policy", str(policy)],
        [*judged, "--json"],
        ["docs", str(verdict), "--project", str(tmp_path / "gx")],
    ]
    for arguments in commands:
        code, out, err = run(capture, *arguments)
        assert code in (0, 1, 3), (arguments, err)
        assert out, arguments
        told.add(f"printed by {arguments[0]}", out, err)
        if arguments[0] == "check":
            verdict.write_text(out)


@pytest.mark.usefixtures("prefect_server")
def test_no_value_stands_in_anything_that_a_run_writes(
    rooms: dict[str, Feed],
    vault: str,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    recwarn: pytest.WarningsRecorder,
) -> None:
    """Not in a page, record, artifact, event, state, log line, warning, error or print-out."""
    import mlflow

    told, since = Told(), dt.datetime.now(dt.UTC)
    for name in ("", "prefect", "prefect.flow_runs", "prefect.task_runs", "signature_gate"):
        caplog.set_level(logging.DEBUG, name)

    fared = run_all(rooms, told)
    release_all(rooms, told, tmp_path)
    printed = capfd.readouterr()
    told.add("printed by runs", printed.out, printed.err)
    command_all(rooms, vault, tmp_path, told, capfd)

    for where, text in kept_by_prefect(since):
        told.add(where, text)
    for name, text in written_below(tmp_path):
        told.add("files", f"{name}: {text}")
    told.add("logs", *map(logging.Formatter().format, caplog.records))
    told.add("warnings", *(str(warned.message) for warned in recwarn))
    (home,) = {feed.experiment for feed in rooms.values() if feed.experiment}
    experiment = mlflow.MlflowClient().get_experiment_by_name(home)
    for run_ in mlflow.MlflowClient().search_runs([experiment.experiment_id]):
        told.add("mlflow", json.dumps(run_.to_dictionary(), default=str))
    assert told.leaks == []
    assert FATES.items() <= fared.items()
    assert {"flow_runs", "task_runs", "artifacts", "logs", "events", "mlflow"} <= set(told.texts)
    assert "withheld by policy redact" in "".join(told.texts["states"])
    assert set(fared.values()) == {"passed", "split", "quarantined", "errored"}


# ----- what libraries say -----


def test_what_a_library_says_of_content_is_told_unless_redacted() -> None:
    """A parser's error quotes cells, so under redact the gate's own words stand alone."""
    error = UnreadableError("content that breaks off", "Deliver it again.", quoted=TEXT)

    plain, redacted = (
        unreadable_violation(error, "csv", (), Policy(redact=redact)) for redact in (False, True)
    )

    assert plain.observed == f"content that breaks off ({TEXT})"
    assert redacted.observed == "content that breaks off"


def test_a_batch_altered_while_it_is_read_tells_no_value(tmp_path: Path) -> None:
    """JSON lines whose values turn into others: Polars quotes them, the error does not."""
    path = tmp_path / "batch.jsonl"
    path.write_text('{"a": 1}\n')
    for redact in (False, True):
        result = check(path, contract(a="long"), Policy(redact=redact))
        path.write_text(json.dumps({"a": TEXT}))
        with pytest.raises(BatchChanged) as caught:
            result.model_input()
        path.write_text('{"a": 1}\n')

        assert bool(found_in(said_by(caught.value))) is not redact
