"""Models by URI: what is pinned, what is refused, and how long a silent registry may take."""

from __future__ import annotations

import gc
import json
import logging
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import IPv4Address
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

import pytest

from signature_gate.expectations.contract.contract import Contract
from signature_gate.expectations.contract.model_version import ModelVersion
from signature_gate.expectations.contract.policy import Policy
from signature_gate.expectations.errors import (
    ContractChanged,
    GateError,
    Misuse,
    ModelFailed,
    ModelNotFound,
    NoContract,
    RegistryUnavailable,
)
from signature_gate.expectations.registry.client import (
    load_contract,
    load_example,
    load_model,
    resolve,
)
from signature_gate.expectations.suite import to_suite

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tutorial_models import Tutorial

FORMS = (
    "Say models:/NAME/VERSION, models:/NAME@ALIAS, models:/m-ID or runs:/RUN_ID/PATH, or name a "
    "folder."
)


# --- a real registry ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def many(house_price: Tutorial) -> str:
    """A model with eleven versions, of which the second is the champion and the third staged."""
    import mlflow

    client = mlflow.MlflowClient()
    client.create_registered_model("many")
    for _ in range(11):
        client.create_model_version("many", f"models:/{house_price.model_id}")
    client.set_registered_model_alias("many", "champion", "2")
    with pytest.warns(FutureWarning, match="stages"):
        client.transition_model_version_stage("many", "3", "Staging")
    return "many"


@pytest.fixture(scope="module")
def run(house_price: Tutorial) -> str:
    """A run with the folder of a model among its artifacts, as MLflow 2 laid it out."""
    import mlflow

    with mlflow.start_run() as started:
        mlflow.log_artifacts(str(house_price.folder), "old_layout")
    return started.info.run_id


@pytest.mark.parametrize(
    ("uri", "version"),
    [
        ("models:/many/4", "4"),
        ("models:/many@champion", "2"),
        ("models:/many/latest", "11"),
        ("models:/many/Latest/", "11"),
        ("models:/many/staging", "3"),
    ],
)
def test_what_a_uri_means_is_pinned(uri: str, version: str, many: str, house_price: Any) -> None:
    """Versions, aliases, ``latest`` and stages become one version, counted as numbers."""
    expected = ModelVersion(
        uri=uri,
        pinned=f"models:/many/{version}",
        name="many",
        version=version,
        model_id=house_price.model_id,
    )

    assert resolve(uri) == expected
    assert load_contract(uri).model == expected


def test_an_alias_that_moves_leaves_the_pinned_version_behind(many: str) -> None:
    """What was resolved once goes on meaning the same version."""
    import mlflow

    client = mlflow.MlflowClient()
    client.set_registered_model_alias(many, "moving", "5")
    before = resolve("models:/many@moving")
    client.set_registered_model_alias(many, "moving", "6")

    assert resolve(before.pinned).version == "5"
    assert resolve("models:/many@moving").version == "6"
    client.delete_registered_model_alias(many, "moving")


@pytest.mark.parametrize("name", ["iris_inferred", "iris_columns"])
def test_the_contract_is_the_signature_that_was_logged(
    name: str, request: pytest.FixtureRequest
) -> None:
    """Names, types and order come back as the tutorial logged them."""
    model: Tutorial = request.getfixturevalue(name)
    contract = Contract.load(model.uri)

    assert [c.name for c in contract.columns] == list(model.batch.columns)
    assert {str(c.type) for c in contract.columns} == {"double"}
    assert [(o["name"], o["type"]) for o in contract.outputs] == [("prediction", "long")]
    assert str(contract.model) == model.pinned


def test_every_uri_of_a_model_leads_to_the_same_contract(house_price: Tutorial) -> None:
    """Alias, version, model id, folder, file and file URI differ in name only."""
    folder = house_price.folder
    uris = (
        house_price.uri,
        house_price.pinned,
        f"models:/{house_price.model_id}",
        str(folder),
        str(folder / "MLmodel"),
        folder.as_uri(),
    )
    contracts = [Contract.load(uri) for uri in uris]

    assert len({c.fingerprint for c in contracts}) == 1
    assert {c.model.model_id for c in contracts if c.model} == {house_price.model_id}
    assert [str(c.type) for c in contracts[0].columns] == [
        "double",
        "long",
        "long",
        "string",
    ]


def test_a_run_leads_to_the_model_that_it_logged(registry: str) -> None:
    """MLflow 3 keeps a run's model under an id of its own, which is what gets pinned."""
    import mlflow
    from mlflow.types import ColSpec, Schema

    with mlflow.start_run() as started:
        logged = mlflow.pyfunc.log_model(
            name="net",
            loader_module="any_loader",
            signature=mlflow.models.ModelSignature(Schema([ColSpec("long", "n")])),
            pip_requirements=[],
        )
    contract = Contract.load(f"runs:/{started.info.run_id}/net")

    assert str(contract.model) == f"models:/{logged.model_id}"
    assert [(c.name, str(c.type)) for c in contract.columns] == [("n", "long")]


def test_a_model_among_a_runs_artifacts_is_found(run: str, house_price: Tutorial) -> None:
    """The layout of MLflow 2 has no id to pin; the run's path cannot move."""
    contract = Contract.load(f"runs:/{run}/old_layout")

    assert str(contract.model) == f"runs:/{run}/old_layout"
    assert contract.fingerprint == Contract.load(house_price.pinned).fingerprint


@pytest.mark.parametrize(
    ("uri", "text"),
    [
        (
            "models:/many/12",
            (
                "there is no such version. 'many' has the alias @champion (2), version 11, "
                "version 10, version 9, version 8, version 7, version 6, version 5, version 4, "
                "version 3 and 1 more."
            ),
        ),
        (
            "models:/house_price@challenger",
            "there is no such alias. 'house_price' has the alias @champion (1), version 1.",
        ),
        (
            "models:/house_price/Production",
            (
                "there is no version 'Production'. 'house_price' has the alias @champion (1),"
                " version 1."
            ),
        ),
        (
            "models:/Many-/1",
            ("there is no such version. The registry knows no model 'Many-'. Did you mean 'many'?"),
        ),
        ("models:/m-0123456789abcdef", "there is no logged model of that id."),
        ("runs:/0123456789abcdef/net", "there is no run '0123456789abcdef'."),
    ],
)
def test_what_the_registry_has_not_is_named_with_what_it_has(
    uri: str, text: str, many: str, registry: str
) -> None:
    """An unknown version, alias, name, id or run is misuse, and the text leads on."""
    for ask in (resolve, load_contract):
        with pytest.raises(ModelNotFound) as raised:
            ask(uri)

        assert str(raised.value) == (
            f"{uri}: {text} The registry is {registry}, which MLFLOW_TRACKING_URI sets."
        )


def test_an_unknown_model_with_no_like_is_told_what_there_is(many: str) -> None:
    """Where no name is close the registry's names are listed, from the first in the alphabet."""
    import mlflow

    mlflow.MlflowClient().create_registered_model("0")

    with pytest.raises(ModelNotFound, match=r"knows no model 'qqq'\. It has '0'(,| and) .*\. The"):
        resolve("models:/qqq@champion")


def test_an_unknown_path_in_a_run_is_told_what_the_run_has(run: str) -> None:
    """Logged models and artifact folders are both candidates."""
    with pytest.raises(ModelNotFound, match=r"the run has no model 'new'\. It has old_layout\."):
        resolve(f"runs:/{run}/new")


@pytest.mark.parametrize("uri", ["models:/", "models:/a/b/c", "runs:/abc", "models:/many"])
def test_a_uri_without_a_version_is_refused(uri: str, many: str) -> None:
    """The text shows the forms that name one."""
    with pytest.raises(ModelNotFound) as raised:
        resolve(uri)

    assert str(raised.value).startswith(f"{uri} names no version of a model. {FORMS}")


def test_a_scheme_that_mlflow_does_not_read_is_refused_at_once(registry: str) -> None:
    """A typing error costs no waiting."""
    with pytest.raises(ModelNotFound) as raised:
        resolve("model:/many/1")

    assert str(raised.value) == f"model:/many/1: MLflow reads no model: URIs. {FORMS}"


def test_a_version_without_its_files_is_told_apart(registry: str, tmp_path: Path) -> None:
    """The registry knows the version, and the artifact store has lost its MLmodel."""
    import mlflow

    client = mlflow.MlflowClient()
    client.create_registered_model("hollow")
    client.create_model_version("hollow", str(tmp_path))

    assert resolve("models:/hollow/1").version == "1"
    with pytest.raises(ModelNotFound, match="the artifact store has no MLmodel file for models:/h"):
        load_contract("models:/hollow/1")


def test_a_tensor_is_a_contract_of_one_column(iris_tensor: Tutorial) -> None:
    """Its dtype and shape come back as they were logged."""
    contract = Contract.load(iris_tensor.uri)

    assert contract.tensors
    assert [c.name for c in contract.columns] == ["features"]
    assert "float64" in str(contract.columns[0].type)


@pytest.mark.parametrize("name", ["hash#1", "a@b", "100%", "two words"])
def test_whatever_name_mlflow_registers_is_found(name: str, house_price: Tutorial) -> None:
    """The contract, the input example and the model come by alias and by version."""
    import mlflow

    client = mlflow.MlflowClient()
    client.create_registered_model(name)
    client.create_model_version(name, f"models:/{house_price.model_id}")
    client.set_registered_model_alias(name, "champion", "1")

    contract = load_contract(f"models:/{name}@champion")

    assert contract.model is not None
    assert contract.model.pinned == f"models:/{name}/1"
    assert load_contract(contract.model.pinned).fingerprint == contract.fingerprint
    assert load_example(contract.model) is not None
    assert load_model(contract.model, contract.fingerprint).metadata.model_id


@pytest.mark.parametrize("address", ["{folder}/mlflow.db", "{folder}/file", "file://{folder}/x.db"])
def test_a_path_as_the_address_of_the_registry_is_refused_at_once(
    address: str, tmp_path: Path, registry: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MLflow would take it for a folder of runs; the error writes the URI of a database."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address.format(folder=tmp_path))

    with pytest.raises(
        RegistryUnavailable, match=f"write MLFLOW_TRACKING_URI=sqlite:///{tmp_path}/"
    ):
        resolve("models:/many/1", 600)


@pytest.mark.parametrize("address", ["postgres://u:p@h/db", "sqlite:/one/slash.db", "{folder}"])
def test_an_address_that_mlflow_cannot_read_is_asked_once(
    address: str, tmp_path: Path, registry: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No repetition makes such an address answer."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address.format(folder=tmp_path))

    with pytest.raises(RegistryUnavailable, match="asked once"):
        resolve("models:/many/1", 60)


def test_a_certificate_that_does_not_verify_is_asked_once(
    registry: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names the variables in which the authority belongs."""
    with _secure_server(tmp_path) as address:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
        with pytest.raises(RegistryUnavailable, match=r"asked once .* in REQUESTS_CA_BUNDLE or"):
            resolve("models:/many/1", 60)


@contextmanager
def _secure_server(folder: Path) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Answering) as server:
        server.daemon_threads = True
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(_self_signed(folder))
        server.socket = context.wrap_socket(server.socket, server_side=True)
        Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"https://127.0.0.1:{server.server_port}"
        server.shutdown()


def _self_signed(folder: Path) -> Path:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    file = folder / "server.pem"
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return file


def test_no_database_is_made_where_none_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MLflow would create an empty registry wherever it happens to run."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/none.db")
    with pytest.raises(RegistryUnavailable) as raised:
        resolve("models:/many/1")

    assert str(raised.value) == (
        f"models:/many/1: there is no registry: sqlite:///{tmp_path}/none.db does not exist. "
        "Set MLFLOW_TRACKING_URI to the one that holds the model."
    )
    assert list(tmp_path.iterdir()) == []


# --- the model itself -----------------------------------------------------------------------------


def _copied(model: Tutorial, tmp_path: Path) -> tuple[Path, Contract]:
    folder = tmp_path / "model"
    shutil.copytree(model.folder, folder)
    return folder, Contract.load(folder)


@pytest.fixture
def downloads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder in which all temporary ones are made."""
    folder = tmp_path / "downloads"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def test_the_model_that_judged_is_the_model_that_scores(
    house_price: Tutorial, downloads: Path
) -> None:
    """Loaded by its pinned version, it predicts; its download goes when it goes."""
    contract = Contract.load(house_price.uri)
    assert list(downloads.iterdir()) == []

    model = load_model(_model(contract), contract.fingerprint)

    assert list(model.predict(house_price.batch)) == [147_500.0, 243_075.0, 385_000.0]
    assert len(list(downloads.glob("*/MLmodel"))) == 1
    del model
    gc.collect()
    assert list(downloads.glob("*/MLmodel")) == []


def test_a_signature_altered_after_it_judged_stops_the_model(registry: str) -> None:
    """MLflow lets one alter what a registered version says; the gate notices before it loads."""
    import mlflow
    from mlflow.models import ModelSignature, set_signature
    from mlflow.types import ColSpec, Schema

    logged = mlflow.pyfunc.log_model(
        name="altered",
        loader_module="never_imported",
        signature=ModelSignature(Schema([ColSpec("long", "n")])),
        pip_requirements=[],
        registered_model_name="altered",
    )
    before = Contract.load("models:/altered/1")
    assert before.model
    set_signature(f"models:/{logged.model_id}", ModelSignature(Schema([ColSpec("double", "n")])))
    after = Contract.load("models:/altered/1")

    with pytest.raises(ContractChanged) as raised:
        load_model(before.model, before.fingerprint)

    assert str(raised.value) == (
        "the signature of models:/altered/1 is no longer the one that judged: its fingerprint was "
        f"{before.fingerprint} and now is {after.fingerprint}. Judge the batch again."
    )


def test_a_signature_removed_after_it_judged_stops_the_model(
    house_price: Tutorial, tmp_path: Path
) -> None:
    """No signature is another signature."""
    folder, contract = _copied(house_price, tmp_path)
    (folder / "MLmodel").write_text("flavors: {}\n")

    with pytest.raises(ContractChanged, match="now is none, for it was logged without a signature"):
        load_model(_model(contract), contract.fingerprint)


@pytest.mark.parametrize(
    ("damage", "cause"),
    [
        (
            lambda folder: (folder / "python_model.pkl").write_bytes(b"garbage"),
            "UnpicklingError: ",
        ),
        (
            lambda folder: _replace(folder / "MLmodel", "mlflow.pyfunc.model", "no_such_package"),
            (
                "ModuleNotFoundError: No module named 'no_such_package'. Install what its "
                "requirements.txt lists into this environment, or log the model again."
            ),
        ),
    ],
    ids=["damaged", "package missing"],
)
def test_a_model_that_cannot_be_loaded_says_why(
    damage: Callable[[Path], None], cause: str, house_price: Tutorial, tmp_path: Path
) -> None:
    """The first line of the cause, and no traceback of MLflow's."""
    folder, contract = _copied(house_price, tmp_path)
    damage(folder)

    with pytest.raises(ModelFailed) as raised:
        load_model(_model(contract), contract.fingerprint)

    assert str(raised.value).startswith(f"{folder} cannot be loaded: {cause}")
    assert "\n" not in str(raised.value)


def _replace(file: Path, old: str, new: str) -> None:
    file.write_text(file.read_text().replace(old, new))


def _model(contract: Contract) -> ModelVersion:
    assert contract.model
    return contract.model


# --- on disk --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mlmodel", "reason"),
    [
        ("signature: {inputs: ['", "its MLmodel file is not YAML (while scanning a quoted scalar"),
        ("created: 2026-13-45\n", "its MLmodel file is not YAML (month must be in 1..12)"),
        ("\udcff\n", "its MLmodel file is not YAML ("),
        ("- a\n- b\n", "its MLmodel file holds no mapping"),
        ("", "its MLmodel file holds no mapping"),
        ("signature: text\n", "the signature in its MLmodel is no mapping"),
        ("flavors: {}\n", "it was logged without a signature"),
        ("signature:\n", "it was logged without a signature"),
        (
            (
                "is_signature_from_type_hint: true\n"
                """signature: {inputs: '[{"type": "long", "name": "n"}]'}\n"""
            ),
            "its signature comes from a type hint, which MLflow does not enforce",
        ),
    ],
)
def test_an_mlmodel_that_states_no_signature_is_no_contract(
    mlmodel: str, reason: str, tmp_path: Path
) -> None:
    """Broken or empty, the text says which file and why."""
    (tmp_path / "MLmodel").write_text(mlmodel, errors="surrogateescape")
    with pytest.raises(NoContract) as raised:
        Contract.load(tmp_path)

    assert str(raised.value).startswith(f"{tmp_path} has no usable contract: {reason}")
    assert "\n" not in str(raised.value)


def test_a_path_that_is_not_there_is_told_what_a_model_is(tmp_path: Path) -> None:
    """A bare registered name is the likeliest mistake."""
    with pytest.raises(ModelNotFound) as raised:
        Contract.load(f"{tmp_path}/flights")

    assert str(raised.value) == (
        f"there is no file or folder {tmp_path}/flights. A model is a folder with an MLmodel file, "
        "a suite JSON, or a URI such as models:/flights@champion."
    )


@pytest.mark.parametrize("name", ["penguins@champion", "penguins/3"])
def test_a_registered_name_without_its_scheme_is_completed(name: str) -> None:
    """What looks like a name with an alias or a version is offered as a URI."""
    with pytest.raises(ModelNotFound, match=rf"Did you mean models:/{name}\?$"):
        Contract.load(name)


def test_a_folder_around_a_model_is_told_where_it_is(house_price: Tutorial) -> None:
    """MLflow keeps a model in a folder named artifacts."""
    with pytest.raises(ModelNotFound) as raised:
        resolve(str(house_price.folder.parent))

    assert str(raised.value) == (
        f"the folder {house_price.folder.parent} has no MLmodel file. "
        f"Did you mean {house_price.folder}?"
    )


def test_a_suite_is_as_good_as_its_model(house_price: Tutorial, tmp_path: Path) -> None:
    """Contract, pinned version and policy come back from the file alone."""
    contract = Contract.load(house_price.uri)
    policy = Policy(nulls="allow")
    suite = tmp_path / "suite.json"
    suite.write_text(json.dumps(to_suite(contract, policy)))

    assert Contract.load(suite) == contract.under(policy)
    assert resolve(str(suite)) == contract.model


def _edited(suite: dict[str, Any], **edits: Any) -> str:
    return json.dumps({**suite, "meta": {"signature_gate": edits}})


def test_a_suite_whose_signature_was_edited_is_refused(tmp_path: Path) -> None:
    """The fingerprint is of what was judged then."""
    old = Contract.from_signature({"inputs": '[{"type": "long", "name": "n"}]'})
    new = Contract.from_signature({"inputs": '[{"type": "double", "name": "n"}]'})
    suite = tmp_path / "suite.json"
    suite.write_text(_edited(to_suite(old), signature=new.signature, fingerprint=old.fingerprint))

    with pytest.raises(ContractChanged) as raised:
        Contract.load(suite)

    assert f"{old.fingerprint}, and the one in it has {new.fingerprint}" in str(raised.value)


def test_a_suite_of_a_bare_signature_names_no_model(tmp_path: Path) -> None:
    """It judges, and there is nothing to score with."""
    bare = Contract.from_signature({"inputs": '[{"type": "long", "name": "n"}]'})
    suite = tmp_path / "suite.json"
    suite.write_text(json.dumps(to_suite(bare)))

    assert Contract.load(suite).fingerprint == bare.fingerprint
    with pytest.raises(ModelNotFound, match=r"names no model\. Name the model itself\."):
        resolve(str(suite))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("not json", "is neither an MLmodel file nor a suite: Expecting value"),
        ("\udcff", "is neither an MLmodel file nor a suite: 'utf-8' codec"),
        ("[" * 99_999, "is neither an MLmodel file nor a suite: it is nested more than 100 levels"),
        ("[1, 2]", "is no suite of signature-gate: it has no `meta.signature_gate`"),
        ('{"meta": {}}', "is no suite of signature-gate: it has no `meta.signature_gate`"),
        (
            '{"meta": {"signature_gate": {"signature": 1}}}',
            (
                "has 2 invalid field(s):\n - signature: Input should be a valid dictionary\n"
                " - fingerprint: Field required"
            ),
        ),
    ],
)
def test_a_file_that_is_no_suite_is_misuse(text: str, said: str, tmp_path: Path) -> None:
    """Whatever a file holds, the error is one of ours and names the file."""
    file = tmp_path / "suite.json"
    file.write_text(text, errors="surrogateescape")
    with pytest.raises(Misuse) as raised:
        Contract.load(file)

    assert f"{file} {said}" in str(raised.value)


# --- a registry that does not answer --------------------------------------------------------------


class _Answering(BaseHTTPRequestHandler):
    """Answers as the server's ``answers`` say, the last one for ever."""

    server: Any

    def do_GET(self) -> None:
        answers = self.server.answers
        (answers.pop(0) if len(answers) > 1 else answers[0])(self)

    def log_message(self, *_: object) -> None:
        """Keep the test's output clean."""


def _say(status: int, body: str) -> Callable[[_Answering], None]:
    def answer(request: _Answering) -> None:
        request.send_response(status)
        request.end_headers()
        request.wfile.write(body.encode())

    return answer


def _say_nothing(request: _Answering) -> None:
    request.server.over.wait(30)


def _trickle(request: _Answering) -> None:
    request.send_response(200)
    request.end_headers()
    while not request.server.over.wait(0.2):
        request.wfile.write(b" ")
        request.wfile.flush()


@contextmanager
def _server(*answers: Callable[[_Answering], None]) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Answering) as server:
        server.daemon_threads = True
        server.block_on_close = False
        server.answers, server.over = list(answers), Event()  # type: ignore[attr-defined]
        Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.over.set()  # type: ignore[attr-defined]
        server.shutdown()


@contextmanager
def _nobody() -> Iterator[str]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


@pytest.mark.parametrize(
    ("serve", "asked", "cause"),
    [
        (_nobody, r"\d+ times", r"ConnectionRefusedError: \[Errno \d+\] Connection refused"),
        (
            lambda: _server(_say(500, "out of order")),
            r"\d+ times",
            "ResponseError: too many 500 error responses",
        ),
        (
            lambda: _server(_say(200, "<html>welcome</html>")),
            r"\d+ times",
            (
                r"MlflowException: API request to endpoint was successful but the response body "
                r"was not in a valid JSON format\. Response body: '<html>welcome</html>'"
            ),
        ),
        (
            lambda: _server(_say(200, '{"model_version": 7}')),
            r"\d+ times",
            "ParseError: Failed to parse model_version field: 'int' object is not iterable",
        ),
        (lambda: _server(_say_nothing), "(once|2 times)", "TimeoutError: (timed out|no answer)"),
        (lambda: _server(_trickle), "once", "TimeoutError: no answer"),
        (
            lambda: _server(_say(403, '{"error_code": "PERMISSION_DENIED", "message": "no"}')),
            "once",
            "RestException: PERMISSION_DENIED: no",
        ),
        (
            lambda: _server(_say(404, "no such page")),
            "once",
            (
                r"MlflowException: API request to endpoint \S+ failed with error code 404 != 200\. "
                r"Response body: 'no such page'"
            ),
        ),
    ],
    ids=["nobody", "500", "no JSON", "other JSON", "silent", "trickling", "denied", "no MLflow"],
)
def test_a_registry_that_does_not_answer_is_given_up_in_time(
    serve: Any, asked: str, cause: str, registry: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The limit holds, and the text says who was asked, how often, for what and what to check."""
    with serve() as address:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
        before, began = _settings(), time.monotonic()
        with pytest.raises(RegistryUnavailable) as raised:
            resolve("models:/many/1", 1.5)

        assert time.monotonic() - began < 3
        assert re.fullmatch(
            rf"models:/many/1: no usable answer from {address}, asked {asked} in [01]\.\d s of "
            rf"1\.5 s\. Last error: {cause}\. Check MLFLOW_TRACKING_URI and MLFLOW_REGISTRY_URI, "
            r"the credentials, and that the server is up; a slow one needs a longer "
            r"SIGNATURE_GATE_REGISTRY_TIMEOUT\.",
            str(raised.value),
        )
        assert _settings() == before


def _settings() -> tuple[Any, ...]:
    from stamina.instrumentation import get_on_retry_hooks

    environment = {name: value for name, value in os.environ.items() if "MLFLOW" in name}
    return environment, logging.getLogger("mlflow").level, get_on_retry_hooks()


def test_a_registry_that_comes_back_within_the_limit_is_heard(
    registry: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two faults are forgotten once there is an answer."""
    answer = _say(200, '{"model_version": {"name": "far", "version": "3", "source": "s3://b/m"}}')
    with _server(_say(503, "wait"), _say(200, "garbage"), answer) as address:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", address)

        assert resolve("models:/far/3", 5).pinned == "models:/far/3"


def test_a_download_that_breaks_off_is_tried_again_and_then_reported(
    registry: str, downloads: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The registry answered, and what it says of the artifacts does not come."""
    answer = _say(200, '{"model_version": {"name": "far", "version": "3", "source": "s3://b/m"}}')
    with _server(answer, _say(500, "out of order")) as address:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
        with pytest.raises(RegistryUnavailable) as raised:
            load_model(ModelVersion(uri="models:/far@x", pinned="models:/far/3"), "0" * 16, 1)

    assert str(raised.value) == (
        "the download of models:/far/3 broke off: ResponseError: too many 500 error responses. "
        f"Check the artifact store behind {address}."
    )
    assert list(downloads.iterdir()) == []


def test_credentials_do_not_show(registry: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither in the text nor in the errors that a traceback would print with it."""
    with _nobody() as address:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", address.replace("//", "//anna:s3cret@"))
        with pytest.raises(RegistryUnavailable) as raised:
            resolve("models:/many/1", 0.5)

    assert f"no usable answer from {address.replace('//', '//***@')}, asked" in str(raised.value)
    assert "s3cret" not in str(raised.value)
    assert (raised.value.__cause__, raised.value.__context__) == (None, None)


def test_the_environment_sets_the_limit(registry: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A deployment's limit holds wherever none is passed."""
    monkeypatch.setenv("SIGNATURE_GATE_REGISTRY_TIMEOUT", "0.4")
    with _nobody() as address:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
        with pytest.raises(RegistryUnavailable, match=r"of 0\.4 s\. Last error"):
            Contract.load("models:/many/1")


@pytest.mark.parametrize("limit", ["soon", "0", "-1", "nan", "inf"])
def test_a_limit_must_be_a_number_of_seconds(limit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A limit that could never end, or never begin, is misuse."""
    monkeypatch.setenv("SIGNATURE_GATE_REGISTRY_TIMEOUT", limit)
    with pytest.raises(Misuse) as raised:
        resolve("models:/many/1")

    assert str(raised.value) == (
        "the registry timeout (SIGNATURE_GATE_REGISTRY_TIMEOUT) must be a number of seconds "
        f"above 0, not '{limit}'."
    )


def test_threads_that_overlap_leave_the_process_as_it_was(
    registry: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MLflow's settings are the whole process's; the last look-up to end restores them."""
    faults: list[Exception] = []

    def look_up(limit: float) -> None:
        try:
            resolve("models:/many/1", limit)
        except GateError as error:
            faults.append(error)

    with _nobody() as address:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
        before = _settings()
        threads = [Thread(target=look_up, args=(limit,)) for limit in (0.3, 0.9, 0.6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert _settings() == before
    assert [type(fault) for fault in faults] == [RegistryUnavailable] * 3


def test_looking_up_and_loading_leave_the_terminal_alone(
    house_price: Tutorial, tmp_path: Path
) -> None:
    """No bar, no log line: not when SQLite is first opened, not on a retry, not on a download."""
    (tmp_path / "new.db").touch()
    script = f"""
import os
from signature_gate.expectations.errors import GateError
from signature_gate.expectations.registry.client import load_contract, load_model, resolve

contract = load_contract({house_price.uri!r})
load_model(contract.model, contract.fingerprint)
for registry in ("sqlite:///{tmp_path}/new.db", "http://127.0.0.1:9"):
    os.environ["MLFLOW_TRACKING_URI"] = registry
    try:
        resolve("models:/none/1", 5 if registry.startswith("sqlite") else 0.5)
    except GateError:
        pass
"""
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert (ran.stdout, ran.stderr) == ("", "")
