"""airflow.md and dagster.md run on the orchestrators themselves, in environments made here."""

from __future__ import annotations

import ast
import json
import os
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from page_commands import blocks_in
from repository import ROOT

import signature_gate

if TYPE_CHECKING:
    from tutorial_models import Tutorial

pytest_plugins = ["page_workplace"]
on_orchestrators = pytest.mark.skipif(
    "SIGNATURE_GATE_ORCHESTRATORS" not in os.environ,
    reason="minutes of pip: make orchestrators runs it",
)
_PINNED = re.compile(r"^([\w.-]+)(?:\[.*?\])?(==[\w.]+)", re.MULTILINE)
PAGES = ("how-to/airflow.md", "how-to/dagster.md")


def _snippet(page: str) -> str:
    (block,) = (block for block in blocks_in(page) if block.language == "python")
    return block.text


def _environment(folder: Path, *packages: str, beside_ours: bool = False) -> Path:
    """Make an environment with packages; beside ours it sees these too, in their versions."""
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    pip = [folder / "bin" / "python", "-m", "pip", "--disable-pip-version-check", "--quiet"]
    pins = folder / "pins.txt"
    lock = (ROOT / "requirements.lock").read_text("utf-8") if beside_ours else ""
    pins.write_text("\n".join(map("".join, _PINNED.findall(lock))))
    subprocess.run([*pip, "install", "--constraint", pins, *packages], check=True)
    if beside_ours:
        (site,) = (folder / "lib").glob("python*/site-packages")
        places = [path for path in sys.path if path.endswith("site-packages")]
        places.append(str(Path(str(signature_gate.__file__)).parents[1]))
        (site / "ours.pth").write_text("\n".join(places))
    return folder / "bin"


# ----- without an orchestrator -----


@pytest.mark.parametrize("page", PAGES)
def test_a_snippet_asks_the_gate_for_what_it_offers(page: str) -> None:
    """It parses, and the names that it imports from the package are public."""
    tree = ast.parse(_snippet(page))
    imports = [n for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)]
    ours = [a.name for n in imports if n.module == "signature_gate" for a in n.names]

    assert len(ours) == 3
    assert set(ours) <= set(signature_gate.__all__)


@pytest.mark.parametrize(("broken", "expected"), [(False, "passed"), (True, "quarantined")])
def test_what_airflow_carries_between_environments_is_plain(
    workplace: Path, broken: bool, expected: str
) -> None:
    """The function that runs in the gate's environment returns JSON, for good and bad batches."""
    batch = workplace / "2013-07-12.csv"
    if broken:
        batch.write_text("a,b\n1,2\n")
    tree = ast.parse(_snippet(PAGES[0]))
    (judge,) = (n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.name == "judge")
    judge.decorator_list = []
    names: dict[str, Any] = {}
    exec(compile(ast.Module([judge], []), "airflow.md", "exec"), names)  # noqa: S102 - our page

    verdict = json.loads(json.dumps(names["judge"](str(batch))))

    assert verdict["disposition"] == expected
    assert bool(verdict["reasons"]) == broken


# ----- on them -----


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with Airflow alone."""
    return _environment(tmp_path_factory.mktemp("airflow") / "venv", "apache-airflow>=3.1,<4")


@on_orchestrators
def test_airflow_admits_fails_skips_and_branches(
    airflow: Path, workplace: Path, tmp_path: Path
) -> None:
    """airflow.md: a good batch is scored and an asset event; a bad one fails or is skipped."""
    home = tmp_path / "home"
    (home / "dags").mkdir(parents=True)
    text = _snippet(PAGES[0]).replace("/opt/gate/bin/python", sys.executable)
    (home / "dags" / "gated.py").write_text(text, "utf-8")
    bad = tmp_path / "bad.csv"
    bad.write_text("a,b\n1,2\n")
    variables = {"AIRFLOW_HOME": str(home), "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}

    def run(*arguments: str) -> None:
        done = subprocess.run(
            [airflow / "airflow", *arguments],
            env={**os.environ, **variables},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0 or arguments[0] == "dags", done.stdout + done.stderr

    run("db", "migrate")
    run("dags", "reserialize")
    for day, (path, on_bad) in enumerate(
        ((workplace / "2013-07-12.csv", "fail"), (bad, "fail"), (bad, "skip")), 1
    ):
        conf = json.dumps({"path": str(path), "on_bad_batch": on_bad})
        run("dags", "test", "gated", f"2024-01-0{day}", "--conf", conf)

    with closing(sqlite3.connect(home / "airflow.db")) as database:
        rows = database.execute(
            "select r.logical_date, t.task_id, t.state from task_instance t "
            "join dag_run r on r.run_id = t.run_id"
        ).fetchall()
        events = [json.loads(row[0]) for row in database.execute("select extra from asset_event")]
    good, failed, skipped = (
        {task: state for at, task, state in rows if at.startswith(f"2024-01-0{day}")}
        for day in (1, 2, 3)
    )
    passed = dict.fromkeys(("judge", "admit", "route", "score"), "success")
    assert good == passed | {"score_the_rest": "skipped"}
    assert (failed["judge"], failed["admit"]) == ("success", "failed")
    assert failed["score"] == "upstream_failed"
    assert (skipped["admit"], skipped["score"]) == ("skipped", "skipped")
    assert [event["disposition"] for event in events] == ["passed"]


_MATERIALIZE = """
import json, sys
import dagster as dg
import gated
done = dg.materialize(
    [gated.batch, gated.fits, gated.scored],
    partition_key=sys.argv[1], raise_on_error=False, instance=dg.DagsterInstance.ephemeral(),
)
(one,) = done.get_asset_check_evaluations()
made = sorted(e.asset_key.to_user_string() for e in done.get_asset_materialization_events())
told = {name: value.value for name, value in one.metadata.items()}
print(json.dumps([one.passed, one.severity.value, told, made]))
"""


@on_orchestrators
def test_dagster_checks_each_partition(flights: Tutorial, workplace: Path, tmp_path: Path) -> None:
    """dagster.md: a good batch is scored; a bad one is an error that keeps `scored` from it."""
    bin_ = _environment(tmp_path / "venv", "dagster>=1.13,<2", beside_ours=True)
    (workplace / "gated.py").write_text(_snippet(PAGES[1]), "utf-8")
    flights.batch.assign(carrier="UA", flight=1).to_csv("2013-07-12.csv", index=False)
    Path("2013-07-13.csv").write_text("a,b\n1,2\n")

    def materialized(day: str) -> Any:
        done = subprocess.run(
            [bin_ / "python", "-c", _MATERIALIZE, day], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    passed, _, told, made = materialized("2013-07-12")
    assert (passed, told["rejected"], made) == (True, 0, ["batch", "scored"])
    passed, severity, told, made = materialized("2013-07-13")
    assert (passed, severity, made) == (False, "ERROR", ["batch"])
    assert told["violations"]
