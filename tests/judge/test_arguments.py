"""What ``check`` takes for a contract and a policy, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from small_checks import contract

from signature_gate import Contract, Policy, check
from signature_gate.expectations.errors import InvalidPolicy, Misuse
from signature_gate.expectations.suite import to_suite
from signature_gate.tasks.feed.feed import Feed

if TYPE_CHECKING:
    from collections.abc import Callable

BATCH = pa.table({"a": [1]})
CONTRACT = contract(a="long")


@pytest.mark.parametrize("as_given", [str, Path])
def test_a_contract_may_be_given_as_the_place_where_it_is(
    as_given: Callable[[Path], Any], tmp_path: Path
) -> None:
    """A path or URI is loaded; what the saved contract says of policies holds."""
    path = tmp_path / "suite.json"
    path.write_text(json.dumps(to_suite(CONTRACT, Policy(min_rows=2))))

    result = check(BATCH, as_given(path))

    assert [v.kind for v in result.violations] == ["row_count"]


def test_a_policy_may_be_a_dictionary_or_a_file(tmp_path: Path) -> None:
    """Both are read as a policy file is."""
    path = tmp_path / "policy.yaml"
    path.write_text("min_rows: 2\n")

    for policy in ({"min_rows": 2}, path, str(path), Policy(min_rows=2)):
        assert not check(BATCH, CONTRACT, policy).passed


@pytest.mark.parametrize("given", [None, 7, {"inputs": "[]"}])
def test_another_object_for_a_contract_is_misuse(given: Any) -> None:
    """The error names its type and how to get a contract."""
    with pytest.raises(Misuse, match=rf"type {type(given).__name__}.*Contract.from_signature"):
        check(BATCH, given)


def test_another_object_for_a_policy_is_misuse() -> None:
    """The error names its type and what a policy is."""
    with pytest.raises(Misuse, match=r"a dictionary of its fields.*type int"):
        check(BATCH, CONTRACT, 7)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("policy", "named"),
    [
        ({"nullable": ["bill_lenght"]}, "'bill_lenght' in nullable (did you mean 'bill_length'?)"),
        ({"rename": {"B": "nowhere"}}, "'nowhere', to which rename maps 'B'"),
    ],
)
def test_a_policy_about_columns_that_do_not_exist_is_invalid(policy: Any, named: str) -> None:
    """An entry that could never take effect is a slip."""
    with pytest.raises(InvalidPolicy) as caught:
        check(BATCH, contract(a="long", bill_length="double"), policy)

    assert named in str(caught.value)


@pytest.mark.parametrize(
    ("call", "accepted"),
    [
        (lambda: check(3, CONTRACT), "a path, a pandas, Polars or Arrow frame, an ndarray"),
        (lambda: check(CONTRACT, BATCH), "check(batch, contract) takes the batch first"),
        (
            lambda: check(BATCH, Policy()),
            "a Contract, a model URI, or the path of a model",
        ),
        (lambda: check(BATCH, CONTRACT, CONTRACT), "a Policy, a dictionary of its fields"),
        (lambda: check(BATCH, CONTRACT, None, Policy()), "Choose one of polars, gx."),
        (lambda: Contract.load(CONTRACT), "from a model URI or a path"),
        (lambda: Contract.from_signature("models:/x/1"), "a ModelSignature of MLflow or its dict"),
        (lambda: Policy.load(3), "a file is named by a path, not by an object of type int"),
        (lambda: Feed.load(3), "a file is named by a path, not by an object of type int"),
    ],
)
def test_misuse_says_what_is_accepted(call: Callable[[], Any], accepted: str) -> None:
    """An object of a type that is none of the accepted ones is named by its type, not shown."""
    with pytest.raises(Misuse) as caught:
        call()

    assert accepted in str(caught.value)
    assert len(str(caught.value)) < 300
