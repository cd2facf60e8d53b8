"""Learned values beside models: in a database with folders, and behind an MLflow server."""

from __future__ import annotations

import json
import shutil
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import httpx
import numpy as np
import polars as pl
import pytest
from commands import run
from live_platform import Platform, wait_for
from platform_commands import MLFLOW_SERVER

from signature_gate import Contract, GateError, InvalidValues, Misuse, check, learn
from signature_gate.expectations.registry import contract_cache
from signature_gate.expectations.registry.client import load_contract
from signature_gate.expectations.registry.local import VALUES
from signature_gate.expectations.registry.training_data import training_data
from signature_gate.expectations.suite import to_suite

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mlflow.models.model import ModelInfo

    from signature_gate import ValueProfile

NAME = "temperatures"


def rows(seed: int = 1, count: int = 2_000) -> pl.DataFrame:
    """Make rows to train on."""
    chance = np.random.default_rng(seed)
    return pl.DataFrame(
        {"temp": chance.normal(15, 5, count), "code": chance.choice(["AA", "B6"], count)}
    )


class Logged(NamedTuple):
    """A version that was just logged, and its run."""

    info: ModelInfo
    version: str
    run: str

    @property
    def uri(self) -> str:
        """The version by its number."""
        return f"models:/{NAME}/{self.version}"

    def named(self, how: str) -> Any:
        """Name the model in one of the ways that users have."""
        return {
            "info": self.info,
            "version": self.uri,
            "alias": f"models:/{NAME}@newest",
            "id": f"models:/{self.info.model_id}",
            "run": f"runs:/{self.run}/model",
        }[how]


def log_model(*inputs: tuple[Any, str | None]) -> Logged:
    """Register a version whose run logs data; its alias is ``newest``."""
    import mlflow
    from mlflow.models import infer_signature
    from mlflow.pyfunc import PythonModel

    class Echo(PythonModel):
        def predict(self, model_input, params=None):  # noqa: ANN001, ANN202, ARG002
            return model_input["temp"]

    with mlflow.start_run() as started:
        for dataset, context in inputs:
            mlflow.log_input(dataset, context=context)
        info = mlflow.pyfunc.log_model(
            name="model",
            python_model=Echo(),
            signature=infer_signature(rows().to_pandas()),
            pip_requirements=["mlflow"],
            registered_model_name=NAME,
        )
    version = str(info.registered_model_version)
    mlflow.MlflowClient().set_registered_model_alias(NAME, "newest", version)
    return Logged(info, version, started.info.run_id)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start a server that hands artifacts on, so that clients see no folder of it."""
    platform = Platform(tmp_path_factory.mktemp("served"))
    try:
        platform.start(MLFLOW_SERVER)
        wait_for(lambda: httpx.get(f"{platform.mlflow}/health").is_success, "the MLflow server")
        yield platform.mlflow
    finally:
        platform.stop()


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry's database, whose tables take long to lay out: tests begin with a copy."""
    import mlflow

    database = tmp_path_factory.mktemp("empty") / "mlflow.db"
    mlflow.MlflowClient(f"sqlite:///{database}").search_experiments()
    return database


@pytest.fixture(params=["folder", "server"])
def store(
    request: pytest.FixtureRequest,
    registry: str,
    empty: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Iterator[str]:
    """Use a database with a folder of artifacts, or a server with proxied ones."""
    import mlflow

    uri = f"sqlite:///{tmp_path}/mlflow.db"
    if request.param == "server":
        uri = request.getfixturevalue("served")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    if request.param == "folder":
        shutil.copyfile(empty, tmp_path / "mlflow.db")
        mlflow.create_experiment("values", artifact_location=str(tmp_path / "artifacts"))
    mlflow.set_experiment("values")
    yield request.param
    monkeypatch.undo()
    mlflow.set_experiment("tutorial")


@contextmanager
def counted_requests() -> Iterator[list[str]]:
    """Record each HTTP request that this process sends."""
    from requests.adapters import HTTPAdapter

    sent, send = list[str](), HTTPAdapter.send

    def recorded(self: HTTPAdapter, request: Any, *args: Any, **kwargs: Any) -> Any:
        sent.append(f"{request.method} {request.path_url}")
        return send(self, request, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(HTTPAdapter, "send", recorded)
        yield sent


@pytest.fixture(scope="module")
def profile() -> ValueProfile:
    """Learn from the rows."""
    return learn(rows())


# ----- beside a model -----


@pytest.mark.parametrize("how", ["info", "version", "alias", "id", "run"])
def test_a_profile_is_found_by_every_name_of_its_model(
    how: str, store: str, profile: ValueProfile, registry: str
) -> None:
    """However it was logged, each way to load the contract has it; a batch is judged by it."""
    logged = log_model()

    place = profile.log_to(logged.named(how))

    assert place.startswith(VALUES)
    for other in ("version", "alias", "id", "run"):
        assert Contract.load(logged.named(other)).values == profile
    hot = rows(2).with_columns(pl.col("temp") * 1.8 + 32)
    result = check(hot, Contract.load(logged.uri))
    assert "shift" in {violation.kind for violation in result.violations}


def test_a_second_profile_is_refused_unless_it_replaces(
    store: str, profile: ValueProfile, registry: str
) -> None:
    """The refusal says from how many rows the first is; replaced, the other one is found."""
    logged, other = log_model(), learn(rows(3))
    profile.log_to(logged.uri)

    with pytest.raises(Misuse, match=r"has a profile .* from 2,000 rows.*--replace"):
        other.log_to(logged.info)
    assert Contract.load(logged.uri).values == profile
    other.log_to(logged.info, replace=True)

    assert Contract.load(logged.uri).values == other


@pytest.mark.parametrize("store", ["server"], indirect=True)
def test_without_a_profile_nothing_changes(store: str, registry: str) -> None:
    """One request more is sent, which lists nothing, and the verdict has no word of values."""
    logged = log_model()
    load_contract(logged.uri)  # MLflow asks once what the server can do

    with counted_requests() as without:
        bare = load_contract(logged.uri, with_values=False)
    with counted_requests() as sent:
        loaded = load_contract(logged.uri)

    assert loaded == bare
    assert len(sent) == len(without) + 1
    assert [request for request in sent if "signature_gate" in request] == sent[-1:]
    assert check(rows(), loaded).verdict == check(rows(), bare).verdict


@pytest.mark.parametrize("how", ["version", "alias", "info"])
def test_a_kept_contract_is_forgotten_when_values_are_learned(
    how: str,
    profile: ValueProfile,
    registry: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The next check judges by the new profile, by whatever name the model was called."""
    monkeypatch.delenv("SIGNATURE_GATE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    logged = log_model()
    load_contract(logged.uri, or_kept=True)
    assert contract_cache.kept_contract(logged.uri) is not None

    profile.log_to(logged.named(how))

    assert load_contract(logged.uri, or_kept=True).values == profile
    assert load_contract(logged.uri, or_kept=True).values == profile


def test_a_corrupt_profile_is_an_error_that_says_what_to_do(
    store: str, registry: str, tmp_path: Path, capsys: Any
) -> None:
    """No batch is judged without what was learned; ``learn --replace`` mends it."""
    import mlflow

    logged = log_model()
    (tmp_path / "values.json").write_text("{")
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    place = mlflow.MlflowClient().get_logged_model(logged.info.model_id).artifact_location
    get_artifact_repository(place).log_artifact(str(tmp_path / "values.json"), "signature_gate")

    with pytest.raises(InvalidValues, match=r"values.json is no profile.*--replace"):
        Contract.load(logged.uri)
    rows().write_parquet(tmp_path / "train.parquet")
    train = str(tmp_path / "train.parquet")
    code, _, err = run(capsys, "learn", logged.uri, train)
    assert (code, "--replace" in err) == (2, True)
    assert run(capsys, "learn", logged.uri, train, "--replace")[0] == 0
    assert Contract.load(logged.uri).values is not None


def test_a_folder_and_a_suite_take_a_profile_too(
    profile: ValueProfile, registry: str, tmp_path: Path
) -> None:
    """A folder has it beside its MLmodel file; a suite leads to the model that it was made from."""
    import mlflow

    logged = log_model()
    folder = mlflow.artifacts.download_artifacts(logged.info.model_uri, dst_path=str(tmp_path))
    suite = tmp_path / "suite.json"
    suite.write_text(json.dumps(to_suite(Contract.load(logged.uri))))

    place = profile.log_to(folder)
    profile.log_to(str(suite))

    assert place.endswith(VALUES)
    assert Contract.load(folder).values == profile
    assert Contract.load(logged.uri).values == profile
    with pytest.raises(Misuse, match="has a profile"):
        profile.log_to(folder)


# ----- what the training run logged -----


def dataset(source: Any) -> Any:
    """Describe a frame that was read from a place; from memory if there is none."""
    import mlflow

    data = rows(count=20).to_pandas()
    # An experiment knows a dataset by its name and content.
    options = {"source": str(source)} if source else {}
    return mlflow.data.from_pandas(data, name=uuid.uuid4().hex, **options)  # pyright: ignore[reportAttributeAccessIssue]


def test_the_files_that_the_run_logged_are_learned_from(
    store: str, registry: str, tmp_path: Path, capsys: Any
) -> None:
    """Those for training alone, by path or file URL, in the order of their names."""
    files = [tmp_path / f"{month}.parquet" for month in ("2024-01", "2024-02", "2024-03")]
    for seed, file in enumerate(files):
        rows(seed, 500).write_parquet(file)
    logged = log_model(
        (dataset(files[1]), "training"),
        (dataset(files[0].as_uri()), "train"),
        (dataset(files[2]), "eval"),
    )

    code, out, err = run(capsys, "learn", f"models:/{NAME}@newest")

    assert (code, "learned from 1,000 rows" in out) == (0, True)
    assert f"learning from {files[0]}, {files[1]}, as the training run logged" in err
    stored = Contract.load(logged.uri).values
    assert stored == learn(*files[:2], contract=logged.uri)
    for how in ("id", "run"):
        assert training_data(logged.named(how)) == [str(file) for file in files[:2]]


def test_inputs_without_a_context_are_all_learned_from(registry: str, tmp_path: Path) -> None:
    """Where no input says what it was for, each was for training."""
    for name in ("b.csv", "a.parquet"):
        getattr(rows(), "write_csv" if name == "b.csv" else "write_parquet")(tmp_path / name)

    logged = log_model((dataset(tmp_path / "b.csv"), None), (dataset(tmp_path / "a.parquet"), None))

    assert training_data(logged.uri) == [str(tmp_path / "a.parquet"), str(tmp_path / "b.csv")]


def test_sources_that_cannot_be_read_are_named_with_the_reason(
    registry: str, tmp_path: Path
) -> None:
    """Memory, other hosts, files that are gone and foreign formats; the remedy is to name files."""
    rows().write_parquet(tmp_path / "good.parquet")
    (tmp_path / "model.pkl").write_bytes(b"")
    logged = log_model(
        (dataset(None), "training"),
        (dataset("http://127.0.0.1:9/train.csv"), "training"),
        (dataset(tmp_path / "gone.parquet"), "training"),
        (dataset(tmp_path / "model.pkl"), "training"),
        (dataset(tmp_path / "good.parquet"), "training"),
    )

    with pytest.raises(Misuse) as raised:
        training_data(logged.uri)

    text = str(raised.value)
    assert "(code): was logged from memory" in text
    assert "http://127.0.0.1:9/train.csv: the gate reads files of this machine alone" in text
    assert f"{tmp_path}/gone.parquet: there is no such file" in text
    assert f"{tmp_path}/model.pkl: is written in a format" in text
    assert "good.parquet" not in text
    assert text.endswith("Name the files: signature-gate learn MODEL DATA…")


def test_a_model_that_says_nothing_of_its_data_asks_for_it(registry: str, tmp_path: Path) -> None:
    """A run without inputs, one with data for evaluation alone, a folder."""
    rows().write_parquet(tmp_path / "eval.parquet")

    for logged in (log_model(), log_model((dataset(tmp_path / "eval.parquet"), "eval"))):
        with pytest.raises(Misuse, match=rf"run {logged.run} logged no data for training.*Name"):
            training_data(logged.uri)
    with pytest.raises(Misuse, match=r"only a registry does.*Name the files"):
        training_data(str(tmp_path))
    with pytest.raises(GateError, match="no such version"):
        training_data(f"models:/{NAME}/999")
