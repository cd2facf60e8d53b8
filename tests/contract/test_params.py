"""Inference parameters are checked by MLflow's own rules, before anything is loaded."""

from __future__ import annotations

import datetime as dt
import json
import math
from copy import deepcopy
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from feeds import (
    deliver,
    everything_below,
    rows,
)
from hypothesis import given
from hypothesis import strategies as st

from signature_gate import Contract
from signature_gate.expectations.contract.params import param_faults
from signature_gate.expectations.errors import InvalidFeed, NoContract
from signature_gate.tasks.scoring.feed_run import score_feed

if TYPE_CHECKING:
    from collections.abc import Callable

    from signature_gate.tasks.feed.feed import Feed

DEFAULTS: dict[str, Any] = {
    "boolean": True,
    "integer": 1,
    "long": 1,
    "float": 1.0,
    "double": 1.0,
    "string": "a",
    "datetime": "2020-01-01T00:00:00",
}
INSTANT = dt.datetime(2020, 1, 1)
VALUES: list[Any] = [
    *(None, True, False, np.bool_(True), 0, 1, -5, 2**31, 2**40, 2**63, 2**70),
    *(1.0, 1.5, math.nan, math.inf, np.float32(1), np.float64(1), np.float16(1)),
    *(np.int8(1), np.int16(1), np.int32(1), np.int64(1), np.uint8(1), np.uint64(1)),
    *("", "a", "1", "true", "2020-01-01", "2020-01-01T00:00:00Z", "NaT", "2020-13-01"),
    *(np.str_("a"), b"a", Decimal(1), 1j, INSTANT.date(), INSTANT, dt.time(1), dt.timedelta(1)),
    *(INSTANT.replace(tzinfo=dt.UTC), np.datetime64("2020-01-01"), np.datetime64("2020", "ns")),
    *([], [1], (1,), {}, {"a": 1}, {1}, [[1]], [1, 2.5], ["a", None], [None], [True, 1]),
    *(np.array([1, 2]), np.array([[1]]), np.array([1.5]), np.array(["a"]), np.array(3)),
]


def contract(*params: dict[str, Any]) -> Contract:
    inputs = json.dumps([{"type": "double", "name": "a", "required": True}])
    return Contract.from_signature({"inputs": inputs, "params": json.dumps(params)})


def param(name: str, kind: str, shape: list[int] | None = None, **more: Any) -> dict[str, Any]:
    default = DEFAULTS.get(kind)
    listed = default if shape is None else [default]
    return {"name": name, "type": kind, "default": listed, "shape": shape, **more}


@pytest.mark.parametrize("shape", [None, [-1]], ids=["scalar", "list"])
@pytest.mark.parametrize("kind", DEFAULTS)
def test_a_value_is_taken_exactly_if_mlflow_takes_it(kind: str, shape: list[int] | None) -> None:
    """Types are compared themselves: true is no integer, float64 no float, a tuple no list."""
    from mlflow.types import ParamSpec

    stated = param("k", kind, shape)
    spec = ParamSpec.from_json_dict(**stated)
    values = [*VALUES, *([value] for value in VALUES)]

    for value in values:
        try:
            ParamSpec.validate_param_spec(value, spec)
            accepted = True
        except Exception:  # noqa: BLE001 - MLflow raises of all kinds
            accepted = False
        faults = param_faults({"k": value}, contract(stated))
        assert accepted == (not faults), (value, faults)


_SCALARS = st.sampled_from([*DEFAULTS, "binary"]).map(lambda name: {"type": name})
_KINDS = st.recursive(
    st.one_of(_SCALARS, st.just({"type": "any"})),
    lambda inner: st.one_of(
        inner.map(lambda items: {"type": "array", "items": items}),
        inner.filter(lambda kind: kind["type"] != "any").map(
            lambda values: {"type": "map", "values": values}
        ),
        st.dictionaries(
            st.sampled_from("xy"), st.tuples(inner, st.booleans()), min_size=1, max_size=2
        ).map(
            lambda fields: {
                "type": "object",
                "properties": {n: {**k, "required": must} for n, (k, must) in fields.items()},
            }
        ),
    ),
    max_leaves=3,
)
_PLAIN = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from([0, 1, 2, -(2**63), 2**63]),
    st.sampled_from([0.5, 1.0, math.nan]),
    st.sampled_from(["", "a", "2020-01-01"]),
    st.sampled_from([b"a", INSTANT, np.int32(7), np.float32(0.5), np.datetime64("2020", "ns")]),
)


@st.composite
def values_for(draw: st.DrawFn, kind: dict[str, Any]) -> Any:
    """Values of the right form, mostly; their leaves are anything."""
    if draw(st.integers(0, 9)) == 0:
        return draw(_PLAIN)
    match kind["type"]:
        case "array":
            return draw(st.lists(values_for(kind["items"]), max_size=3))
        case "map":
            keys = st.sampled_from("kl")
            return draw(st.dictionaries(keys, values_for(kind["values"]), max_size=2))
        case "object":
            fields = kind["properties"]
            there = [n for n, k in fields.items() if k["required"] or draw(st.booleans())]
            return {name: draw(values_for(fields[name])) for name in there}
        case _:
            return draw(_PLAIN)


@st.composite
def object_params(draw: st.DrawFn) -> tuple[dict[str, Any], Any]:
    kind = {"type": "object", "properties": {"p": {**draw(_KINDS), "required": True}}}
    return kind, draw(values_for(kind))


@given(case=object_params())
def test_an_object_that_is_taken_is_one_that_mlflow_takes(case: Any) -> None:
    """Sound within objects too, where a plain integer is neither int32 nor double."""
    from mlflow.models.utils import _enforce_object
    from mlflow.types.schema import Object

    kind, value = case
    stated = {"name": "k", "default": None, "shape": None, **kind}
    if not param_faults({"k": value}, contract(stated)):
        _enforce_object(deepcopy(value), Object.from_json_dict(**deepcopy(kind)))


@pytest.mark.parametrize(
    ("value", "fits"),
    [
        ({"n": 3, "x": 0.5}, True),
        ({"n": 3, "x": 0.5, "tags": ["a"]}, True),
        ({"n": 3, "x": 0.5, "tags": None}, True),
        ({"n": 3, "x": 1}, True),
        ({"n": 3, "x": 2}, False),
        ({"n": 3}, False),
        ({"n": 3, "x": 0.5, "y": 1}, False),
        ({"n": 3.0, "x": 0.5}, False),
        ({"n": 3, "x": 0.5, "tags": ["a", None]}, False),
        (None, False),
        ([], False),
    ],
)
def test_objects_have_their_fields_and_no_others(value: Any, fits: bool) -> None:
    """A required field is there, an undeclared one is not, an optional one may be null."""
    fields = {
        "n": {"type": "long", "required": True},
        "x": {"type": "double", "required": True},
        "tags": {"type": "array", "items": {"type": "string"}, "required": False},
    }
    stated = param("k", "object", properties=fields)

    assert fits == (not param_faults({"k": value}, contract(stated)))


def test_what_is_left_out_takes_its_default() -> None:
    """No param is ever missing."""
    assert param_faults({}, contract(param("horizon", "long"))) == ()


def test_every_fault_is_told_with_what_there_is() -> None:
    """An unknown name is reported with the known ones, a wrong value with its type."""
    known = contract(param("horizon", "long"), {**param("cuts", "double", [-1]), "default": [2]})

    faults = param_faults({"horizons": 3, "horizon": "3", "cuts": 0.5}, known)

    assert faults == (
        "knows no param horizons; it has horizon, cuts (did you mean horizon?)",
        "takes long as param horizon, not '3' (str); leave it out for its default, 1",
        "takes a list of double as param cuts, not 0.5 (float); leave it out for its default, [2]",
    )
    assert param_faults({"k": 1}, contract()) == ("knows no param k; it has none",)


def test_a_params_schema_that_cannot_be_read_decides_nothing() -> None:
    """MLflow could not even load such a model."""
    with pytest.raises(NoContract, match="param 'k' cannot be read"):
        param_faults({"k": 1}, contract({"name": "k", "type": "quaternion"}))


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"mood": 3}, "takes string as param mood, not 3"),
        ({"modo": "good"}, "knows no param modo; it has mood .did you mean mood.."),
    ],
)
def test_a_feed_with_wrong_params_touches_no_batch(
    make_feed: Callable[..., Feed],
    moody: str,
    params: dict[str, Any],
    said: str,
) -> None:
    """Neither model nor batch is opened: the error names the feed."""
    feed = make_feed("moody", model=moody, params=params)
    deliver(feed, "good.parquet", rows(3))

    with pytest.raises(InvalidFeed, match=f"feed moody: models:/moody/1 {said}"):
        score_feed(feed)

    assert everything_below(Path(feed.root)) == {"inbox/good.parquet"}
