"""Credentials in URIs: hidden in every text, whatever characters they have."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

import pytest
import sample_histories
import sample_verdicts
from hypothesis import given
from hypothesis import strategies as st

from signature_gate.expectations import credentials
from signature_gate.expectations.contract.model_version import ModelVersion
from signature_gate.expectations.credentials import mask_uri, masked, unmasked
from signature_gate.expectations.errors import GateError, ModelNotFound, RegistryUnavailable
from signature_gate.expectations.registry.client import load_contract
from signature_gate.expectations.report.batch_report import render_report
from signature_gate.tasks.monitoring.pages import write_overview

if TYPE_CHECKING:
    from pathlib import Path

PASSWORDS = st.text("ABCXYZ019@/ :?#&=%+", min_size=1).map(lambda text: f"Q7{text}Q")
QUERIES = st.sampled_from(["X-Amz-Signature", "sig", "token", "Signature", "X-Amz-Credential"])


@pytest.fixture(autouse=True)
def _nothing_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Passwords that were drawn stay with their test: 000 would be hidden in any later text."""
    monkeypatch.setattr(credentials, "_known", {})


@given(user=st.text("abc.-", max_size=5), password=PASSWORDS, quoted=st.booleans())
def test_no_text_that_quotes_a_uri_shows_its_password(
    user: str, password: str, quoted: bool
) -> None:
    """Neither the URI nor an error around it, also where a library quotes it decoded or in part."""
    written = quote(password, safe="") if quoted else password
    uri = f"postgresql://{user}:{written}@db.example:5432/mlflow"

    shown = mask_uri(uri)

    assert unmasked(shown) == uri
    for text in (shown, masked(f"cannot reach {uri} (password {password}), see the log")):
        assert password not in text
        assert written not in text
    for fragment in password.split("@"):
        if len(fragment) >= 3:
            assert f"{fragment}@db" not in masked(f"no such host {fragment}@db.example")


@given(name=QUERIES, value=st.text("ABCXYZ019%+/=", min_size=8))
def test_the_query_of_a_signed_url_is_hidden(name: str, value: str) -> None:
    """Alone, among other parts of a query, and in a text about a URL that was never seen before."""
    url = f"https://bucket.example/models/flights?expires=60&{name}={value}"

    assert mask_uri(url) == "https://bucket.example/models/flights?***"
    assert value not in masked(f"403 for {url}: expired")


def test_what_to_hide_of_an_address_is_worked_out_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not for each text after it: with 200 addresses known, that took 5 ms a text."""
    mask_uri("postgresql://anna:Geh%20eim@db.example/worked_out_once")
    read = list[str]()
    monkeypatch.setattr(credentials, "unquote", lambda part: read.append(part) or unquote(part))

    for text in ("for Geh eim", "for Geh%20eim") * 9:
        assert masked(text) == "for ***"

    assert read.count("Geh%20eim") <= 4


def test_a_password_of_one_character_hides_no_code_of_it() -> None:
    """``%20`` in an address is a blank, whatever somebody's password is."""
    mask_uri("postgresql://anna: @db.example/one_character")

    assert masked("s3://bucket/a%20b.csv is gone") == "s3://bucket/a%20b.csv is gone"


@pytest.mark.parametrize(
    "text",
    [
        "models:/flights@champion: no usable answer from http://localhost:5000, asked 3 times",
        "there is no http://localhost:5000: did you mean models:/penguins@champion?",
        "sqlite:////data/a@b/mlflow.db does not exist",
        "runs:/4f5e/model",
        "no version 9 of delta://s3://lake/flights@9",
    ],
)
def test_what_has_no_credentials_is_shown_as_it_is(text: str) -> None:
    """Aliases, ports, paths and sentences stay readable."""
    assert masked(text) == text


def test_what_a_gate_writes_of_a_model_shows_no_credentials(tmp_path: Path) -> None:
    """Verdicts, reports, pages and errors, and the tracebacks that a log would print."""
    uri = "https://anna:S3 cr/t@@models.example/flights?X-Amz-Signature=Abc123"
    model = ModelVersion(uri=uri, pinned=uri)
    verdict = sample_verdicts.flights().model_copy(update={"model": model})
    feed = sample_histories.feed_at(tmp_path / "flights").model_copy(update={"model": uri})
    index = write_overview([feed], tmp_path / "pages")
    pages = [path.read_text("utf-8") for path in index.parent.rglob("*.html")]
    error = GateError(f"cannot use {uri}")

    texts = [verdict.to_json(), render_report(verdict), f"{model} {error} {error!r}", *pages]

    for text in texts:
        assert "cr/t" not in text
        assert "Abc123" not in text
    assert len(pages) == 2
    assert model.model_copy() == ModelVersion.model_validate_json(model.model_dump_json())


def test_a_registry_address_with_any_password_stays_hidden(
    registry: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the password makes the address unreadable, libraries quote parts of it."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://anna:Geh/eim@ nis#7@127.0.0.1:9")
    with pytest.raises((RegistryUnavailable, ModelNotFound)) as raised:
        load_contract("models:/many/1", 0.5)

    shown = "".join(traceback.format_exception(raised.value))

    assert "http://***@127.0.0.1:9" in shown
    for part in ("Geh", "eim", "nis"):
        assert part not in shown
