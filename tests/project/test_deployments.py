"""deployments/ and docs/platform.md agree with the code, the flows and each other.

test_end_to_end runs the commands.
"""

from __future__ import annotations

import json
import re
import shlex
from configparser import ConfigParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
import yaml
from live_platform import Platform
from platform_commands import COMMANDS, INBOX, MLFLOW_SERVER, PREFECT_SERVER, WORKER
from repository import ROOT

from signature_gate.expectations.errors import InvalidFeed
from signature_gate.tasks.feed.feed import Feed
from signature_gate.tasks.setup.new_feed import feed_schema

if TYPE_CHECKING:
    from pydantic import BaseModel

DEPLOYMENTS = ROOT / "deployments"
PAGE = (ROOT / "docs" / "platform.md").read_text("utf-8")
FLIGHTS = DEPLOYMENTS / "feeds" / "flights.yaml"
DEPLOYED: list[dict[str, Any]] = yaml.safe_load((DEPLOYMENTS / "prefect.yaml").read_text("utf-8"))[
    "deployments"
]
(ZOMBIES,) = yaml.safe_load((DEPLOYMENTS / "automations.yaml").read_text("utf-8"))["automations"]
FILES = sorted(
    path
    for path in DEPLOYMENTS.rglob("*")
    if path.is_file() and path.suffix in {".yaml", ".py", ".json", ".env", ".service"}
)
every_deployment = pytest.mark.parametrize(
    "deployed", DEPLOYED, ids=lambda d: f"{d['entrypoint'].rpartition('.')[2]}/{d['name']}"
)


def flow_of(deployed: dict[str, Any]) -> Any:
    """Import the flow that an entrypoint names, as Prefect does."""
    from prefect.flows import load_flow_from_entrypoint

    return load_flow_from_entrypoint(deployed["entrypoint"], use_placeholder_flow=False)


# ----- feeds -----


def test_the_schema_of_feeds_is_up_to_date() -> None:
    """If it is not: run make schema."""
    assert feed_schema() == (FLIGHTS.parent / "feed.schema.json").read_text("utf-8")


def test_the_schema_documents_every_field() -> None:
    """Every field has a description, which editors show."""
    schema = json.loads(feed_schema())
    described = [schema, *(schema["$defs"][name] for name in ("Policy", "Folders"))]

    for model in described:
        assert all(field.get("description") for field in model["properties"].values())


def test_the_example_feed_is_one() -> None:
    """The schema and the gate both accept it, and its inbox is the folder that the page makes."""
    jsonschema.validate(yaml.safe_load(FLIGHTS.read_text("utf-8")), json.loads(feed_schema()))

    inbox = Feed.load(FLIGHTS).inbox.relative_to(DEPLOYMENTS)

    assert f'mkdir -p "$SIGNATURE_GATE_HOME/{inbox}"' == INBOX
    assert "$schema=feed.schema.json" in FLIGHTS.read_text("utf-8").splitlines()[0]


@pytest.mark.parametrize(
    "fault",
    [
        {"name": "a feed"},
        {"settle": 60},
        {"settle_seconds": -1},
        {"policy": {"on_mismatch": "drop"}},
        {"policy": {"max_rejected": 2}},
        {"folders": {"inbox": ""}},
    ],
    ids=str,
)
def test_an_editor_sees_the_faults_that_the_gate_refuses(fault: dict[str, Any]) -> None:
    """What Feed refuses, its schema refuses too."""
    fields = yaml.safe_load(FLIGHTS.read_text("utf-8")) | fault

    with pytest.raises(InvalidFeed):
        Feed.parse(fields)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(fields, json.loads(feed_schema()))


# ----- prefect.yaml and automations.yaml -----


@every_deployment
def test_a_deployment_names_a_flow_and_parameters_that_it_takes(deployed: dict[str, Any]) -> None:
    """Entrypoints are modules of the package; parameters and feed files exist."""
    from inspect import signature

    parameters = deployed.get("parameters", {})

    assert deployed["entrypoint"].startswith("signature_gate.flows.")
    assert parameters.keys() <= signature(flow_of(deployed).fn).parameters.keys()
    if "feed" in parameters:
        assert (DEPLOYMENTS / parameters["feed"]).is_file()


@every_deployment
def test_a_deployment_runs_where_and_as_the_page_says(deployed: dict[str, Any]) -> None:
    """All use the pool that the page creates, with the tag that the automation matches."""
    assert deployed["work_pool"] == {"name": "signature-gate"}
    assert (
        f"prefect.tag.{deployed['tags'][0]}"
        == (ZOMBIES["trigger"]["match_related"]["prefect.resource.id"])
    )


def test_the_page_lists_all_deployments() -> None:
    """The page's table and prefect.yaml list the same deployments."""
    listed = re.findall(r"^\| `([\w-]+/[\w-]+)` \|", PAGE, re.MULTILINE)

    assert listed == [f"{flow_of(d).name}/{d['name']}" for d in DEPLOYED]


def test_no_healthy_run_is_taken_for_a_zombie() -> None:
    """The automation waits for more than three heartbeats: Prefect's default, and the worker's."""
    from prefect.events.schemas.automations import AutomationCore
    from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, Settings

    waits = AutomationCore.model_validate(ZOMBIES).trigger.within.total_seconds()
    usual = Settings.model_fields["flows"].annotation.model_fields["heartbeat_frequency"].default

    assert PREFECT_FLOWS_HEARTBEAT_FREQUENCY.name in variables("worker.env")
    for heartbeat in (usual, int(variables("worker.env")["PREFECT_FLOWS_HEARTBEAT_FREQUENCY"])):
        assert waits > 3 * heartbeat


# ----- environment and services -----


def variables(file: str) -> dict[str, str]:
    """Read a file of variables, those that are commented out included."""
    lines = (DEPLOYMENTS / file).read_text("utf-8").splitlines()
    pairs = [line.lstrip("#").partition("=") for line in lines if re.match(r"#?[A-Z_]+=", line)]
    return {name: value for name, _, value in pairs}


def settings_of(model: type[BaseModel], prefix: str = "PREFECT") -> set[str]:
    """List the variables of Prefect's own settings."""
    from pydantic import BaseModel

    found = set[str]()
    for name, field in model.model_fields.items():
        known, inner = f"{prefix}_{name}".upper(), field.annotation
        is_group = isinstance(inner, type) and issubclass(inner, BaseModel)
        found |= settings_of(inner, known) if is_group else {known}
    return found


@pytest.mark.parametrize("file", ["server.env", "worker.env"])
def test_every_variable_is_one_that_somebody_reads(file: str) -> None:
    """No setting is misspelt: Prefect, MLflow, GX or the gate reads it."""
    import mlflow.environment_variables as of_mlflow
    from prefect.settings import Settings

    known = settings_of(Settings) | set(dir(of_mlflow)) | {"GX_ANALYTICS_ENABLED"}

    assert set(variables(file)) <= known


@pytest.mark.parametrize(
    ("service", "command"),
    [
        ("prefect-server", PREFECT_SERVER),
        ("mlflow-server", MLFLOW_SERVER),
        ("signature-gate-worker", WORKER),
    ],
)
def test_a_service_runs_the_documented_command(service: str, command: str) -> None:
    """A service runs the command of the page, in the folder of the page."""
    unit = ConfigParser(interpolation=None, strict=False)
    unit.optionxform = str
    unit.read(DEPLOYMENTS / "systemd" / f"{service}.service")

    assert unit["Service"]["ExecStart"] == f"%h/signature-gate/.venv/bin/{command}"
    for file in unit["Service"].get("EnvironmentFile", "").split():
        assert (DEPLOYMENTS / Path(file).name).is_file()
    assert service in PAGE


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(DEPLOYMENTS)))
def test_nothing_is_tied_to_one_machine(path: Path) -> None:
    """No file names a folder of some machine, or a password."""
    text = path.read_text("utf-8")

    assert str(ROOT) not in text
    assert not re.search(r"(?<![\w%}.$/-])/(home|root|Users|work|tmp|srv|opt|var)/", text)
    assert not re.search(r"(PASSWORD|TOKEN|AUTH_STRING)=\S", text)


# ----- the page -----


def test_every_command_of_the_page_is_run_by_a_test() -> None:
    """Each bash block is in the table of test_end_to_end, and its variables are set there.

    Blocks that no test runs are console blocks, and the page says so.
    """
    blocks = re.findall(r"^```bash\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    exported = {line.split()[1].partition("=")[0] for line in lines if line.startswith("export ")}

    assert [line for line in lines if not line.startswith("export ")] == list(COMMANDS)
    assert exported <= Platform(ROOT).environment.keys()
    assert all(shlex.split(command) for command in COMMANDS)


def test_the_page_says_which_commands_no_test_runs() -> None:
    """A line before each console block says so."""
    before = re.findall(r"^(.*)\n\n```console$", PAGE, re.MULTILINE)

    assert PAGE.count("```console") == len(before)
    assert all("ot run by the tests" in line for line in before)


def test_the_files_that_the_page_names_are_there() -> None:
    """Each link leads to a file."""
    links = re.findall(r"\]\((?!http)([^)#]+)\)", PAGE)

    assert links
    assert all((ROOT / "docs" / link).is_file() for link in links)


def test_the_schema_file_is_json_that_editors_take() -> None:
    """It is a valid schema of the draft that it names."""
    schema = json.loads((FLIGHTS.parent / "feed.schema.json").read_text("utf-8"))

    jsonschema.Draft202012Validator.check_schema(schema)
