"""Changes between contracts and batches: which there are, and which of them break."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_checks import contract
from strategies import ARRIVING, POLICIES, contracts, tables

from signature_gate import Contract, Policy, check
from signature_gate.expectations.contract.types import SCALARS
from signature_gate.expectations.drift.change import fingerprint_of
from signature_gate.expectations.drift.compare import compare
from signature_gate.expectations.drift.recorded_schema import judge_schema, recorded_types
from signature_gate.expectations.verdict.verdict import BatchInfo

if TYPE_CHECKING:
    from signature_gate.expectations.drift.change import Change


def seen(changes: tuple[Change, ...]) -> list[tuple[str, str, str]]:
    """List kind, path and effect of each change."""
    return [(change.kind, change.path, change.effect) for change in changes]


LONGS = pa.list_(pa.int64())


def arriving(written_as: str = "parquet", **types: str | pa.DataType) -> BatchInfo:
    """Record a batch as its receipt does; a text is how a type was printed, and no more."""
    columns = tuple((name, str(kind)) for name, kind in types.items())
    kinds = {name: pa.null() if isinstance(kind, str) else kind for name, kind in types.items()}
    schema = b64encode(pa.schema(kinds).serialize()).decode()
    recorded = "" if all(isinstance(kind, str) for kind in types.values()) else schema
    return BatchInfo(name="batch", format=written_as, columns=columns, arrow_schema=recorded)


def version(
    inputs: Any, outputs: Any = None, params: Any = None, *, named: bool = True
) -> Contract:
    """Make a contract from the parts of a signature."""
    parts = {"inputs": inputs, "outputs": outputs, "params": params}
    return Contract.from_signature({k: json.dumps(v) if v else None for k, v in parts.items()})


# ----- what must hold for all contracts -----


@st.composite
def _evolved(draw: st.DrawFn, spec: dict[str, Any]) -> dict[str, Any]:
    """Change a type here and there, now and then."""
    if draw(st.integers(0, 7)) == 0:
        return {"type": draw(st.sampled_from([*SCALARS, "any"]))}
    evolved = dict(spec)
    for part in ("items", "values"):
        if part in spec:
            evolved[part] = draw(_evolved(spec[part]))
    if spec["type"] == "object":
        evolved["properties"] = {
            name: {**draw(_evolved(inner)), "required": draw(_now_and_then(inner["required"]))}
            for name, inner in spec["properties"].items()
            if draw(st.integers(0, 5)) or len(spec["properties"]) == 1
        } or spec["properties"]
    if spec["type"] in SCALARS and draw(st.integers(0, 2)) == 0:
        wider = {"integer": ["long", "double"], "float": ["double"]}
        evolved["type"] = draw(st.sampled_from(wider.get(spec["type"], [spec["type"]])))
    return evolved


def _now_and_then(flag: bool) -> st.SearchStrategy[bool]:
    return st.integers(0, 4).map(lambda n: flag if n else not flag)


@st.composite
def successions(draw: st.DrawFn) -> tuple[Contract, Contract]:
    """Two versions of a contract, the second made from the first as versions are."""
    before = draw(contracts())
    specs = json.loads(before.signature["inputs"] or "[]")
    kept = [spec for spec in specs if draw(st.integers(0, 5))] or specs
    new = [
        {
            **draw(_evolved(spec)),
            "name": spec["name"],
            "required": draw(_now_and_then(spec["required"])),
        }
        for spec in draw(st.permutations(kept))
    ]
    if draw(st.integers(0, 3)) == 0:
        new.append({"type": "long", "name": "new", "required": draw(st.integers(0, 3)) == 0})
    return before, version(new)


def core(change: Change) -> tuple[Any, ...]:
    """Give everything about a change but what it means."""
    return tuple(change.model_dump(exclude={"effect", "reason", "message"}).values())


@given(
    pair=st.one_of(successions(), st.tuples(contracts(), contracts())),
    policy=POLICIES,
)
def test_the_way_back_is_the_way_there_inverted(pair: Any, policy: Policy) -> None:
    """Added and removed swap, required and optional swap, before and after swap."""
    before, after = pair

    there, back = compare(before, after, policy), compare(after, before, policy)

    assert sorted(map(repr, (core(c.inverted()) for c in there))) == sorted(
        map(repr, map(core, back))
    )
    assert compare(before, before, policy) == ()
    assert fingerprint_of(there) == fingerprint_of(reversed(there))


@st.composite
def deliveries(draw: st.DrawFn) -> tuple[pa.Table, Contract, Contract]:
    before, after = draw(successions())
    return draw(tables(before)), before, after


@given(delivery=deliveries(), policy=POLICIES)
def test_without_a_breaking_change_what_fitted_still_fits(delivery: Any, policy: Policy) -> None:
    """Sound: a batch that fits one version fits the next, unless a change is called breaking."""
    table, before, after = delivery
    alone = policy.model_copy(update={"extra_columns": "forbid"})
    if not check(table, before, alone).passed:
        return

    changes = compare(before, after, policy)

    if all(change.effect != "breaking" for change in changes):
        assert check(table, after, policy).passed


# ----- contracts -----


@pytest.mark.parametrize(
    ("before", "after", "effect"),
    [
        ("integer", "long", "compatible"),
        ("integer", "double", "compatible"),
        ("float", "double", "compatible"),
        ("long", "integer", "breaking"),
        ("long", "double", "breaking"),
        ("double", "float", "breaking"),
        ("integer", "float", "breaking"),
        ("boolean", "integer", "breaking"),
        ("string", "binary", "breaking"),
        ("string", "any", "compatible"),
        ("any", "string", "breaking"),
    ],
)
def test_what_a_type_takes_follows_from_the_table(before: str, after: str, effect: str) -> None:
    """A type that takes another's own values as they are, and all that arrives there, is wider."""
    changes = compare(contract(x=before), contract(x=after))

    assert seen(changes) == [("retyped", "x", effect)]
    assert (before, after) == (changes[0].before, changes[0].after)
    assert changes[0].reason


def test_who_lets_doubles_round_may_widen_longs() -> None:
    """Policy lossy_floats: allow takes every long for a double."""
    rounding = Policy(lossy_floats="allow")

    changes = compare(contract(x="long"), contract(x="double"), rounding)

    assert seen(changes) == [("retyped", "x", "compatible")]


def test_columns_come_and_go() -> None:
    """New and required breaks; new and optional, or gone, does not unless policy forbids extras."""
    before, after = contract(a="long", b="string"), contract(("d",), a="long", c="long", d="long")

    assert seen(compare(before, after)) == [
        ("added", "c", "breaking"),
        ("removed", "b", "compatible"),
        ("added", "d", "compatible"),
    ]
    forbids = compare(before, after, Policy(extra_columns="forbid"))
    assert ("removed", "b", "breaking") in seen(forbids)
    kept = compare(before, after, Policy(extra_columns="forbid", keep=("b",)))
    assert ("removed", "b", "compatible") in seen(kept)


def test_a_model_that_may_find_none_of_its_columns_breaks() -> None:
    """Where all columns are optional, a batch with none of them loses every row."""
    changes = compare(contract(a="long", b="long"), contract(("c",), c="string"))

    assert {effect for kind, _, effect in seen(changes) if kind == "removed"} == {"breaking"}


def test_what_may_be_absent_is_told_apart_from_what_may_not() -> None:
    """Required to optional lets everything through still; the other way round it does not."""
    there, back = contract(x="long"), contract(("x",), x="long")

    assert seen(compare(there, back)) == [("optional", "x", "compatible")]
    assert seen(compare(back, there)) == [("required", "x", "breaking")]


@pytest.mark.parametrize(
    ("old", "new", "likely"),
    [("dep_time", "Dep Time", 1.0), ("dep_time", "deptime", 1.0), ("distance", "distanse", 0.9)],
)
def test_a_slip_of_the_name_is_a_renaming(old: str, new: str, likely: float) -> None:
    """Names that differ in case, punctuation or a letter, with one type, are likely the same."""
    (change,) = compare(contract(**{old: "long"}), contract(**{new: "long"}))

    assert (change.kind, change.path, change.renamed_to) == ("renamed", old, new)
    assert change.likelihood == pytest.approx(likely, abs=0.03)
    assert change.effect == "breaking"
    assert "policy rename" in change.reason


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (("lag_1", "double"), ("lag_4", "double")),
        (("origin", "string"), ("dest", "string")),
        (("price", "string"), ("prices", "double")),
    ],
)
def test_siblings_and_strangers_are_no_renaming(old: tuple[str, str], new: tuple[str, str]) -> None:
    """Other digits, another name or an unrelated type: one is gone, another has come."""
    changes = compare(contract(**dict([old])), contract(**dict([new])))

    assert {change.kind for change in changes} == {"removed", "added"}


def test_nested_types_change_by_path() -> None:
    """Fields, elements and values are told by where they stand."""

    def lines(**fields: Any) -> dict[str, Any]:
        items = {"type": "object", "properties": fields}
        order = {"lines": {"type": "array", "items": items, "required": True}}
        return {"type": "object", "properties": order}

    price, note = {"type": "long", "required": True}, {"type": "string", "required": False}
    before = contract(order=lines(price=price, note=note), scores={"type": "map", "values": price})
    after = contract(
        order=lines(price={**price, "type": "integer"}, vat=price),
        scores={"type": "map", "values": {"type": "integer"}},
    )

    assert sorted(seen(compare(before, after))) == [
        ("added", "order.lines[].vat", "breaking"),
        ("removed", "order.lines[].note", "breaking"),
        ("retyped", "order.lines[].price", "breaking"),
        ("retyped", "scores{}", "breaking"),
    ]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (("float32", (-1, 4)), ("float64", (-1, 4)), [("retyped", "compatible")]),
        (("float64", (-1, 4)), ("float32", (-1, 4)), [("retyped", "breaking")]),
        (("int64", (-1, 4)), ("float64", (-1, 4)), [("retyped", "breaking")]),
        (("uint8", (-1, 4)), ("uint8", (-1, -1)), [("shape", "compatible")]),
        (("uint8", (-1, -1)), ("uint8", (-1, 4)), [("shape", "breaking")]),
        (("uint8", (-1, 4)), ("uint8", (-1, 4, 1)), [("shape", "breaking")]),
    ],
)
def test_tensors_change_dtype_and_shape(before: Any, after: Any, expected: Any) -> None:
    """A dtype may only become one that holds all its values; a dimension may only be opened."""

    def tensor(dtype: str, shape: tuple[int, ...]) -> Contract:
        spec = {"dtype": dtype, "shape": list(shape)}
        return version([{"name": "x", "type": "tensor", "tensor-spec": spec}])

    changes = compare(tensor(*before), tensor(*after))

    assert [(kind, effect) for kind, _, effect in seen(changes)] == expected


@pytest.mark.parametrize(
    ("policy", "effect"), [("ignore", "cosmetic"), ("warn", "compatible"), ("forbid", "breaking")]
)
def test_order_means_what_policy_makes_of_it(policy: Any, effect: str) -> None:
    """The gate restores the contract's order, unless the policy minds it."""
    one, other = contract(a="long", b="long"), contract(b="long", a="long")

    assert seen(compare(one, other, Policy(column_order=policy))) == [("order", "", effect)]


def test_names_cannot_become_positions() -> None:
    """Columns by name and columns by position are for different batches."""
    by_position = version([{"type": "long"}, {"type": "long"}])

    assert seen(compare(contract(a="long", b="long"), by_position)) == [("shape", "", "breaking")]


def test_params_break_where_what_was_stated_is_refused() -> None:
    """A param that is gone or narrower breaks feeds that state it; a new default does not."""
    x = [{"name": "x", "type": "long", "required": True}]

    def params(**types: tuple[str, Any]) -> Contract:
        stated = [
            {"name": n, "type": kind, "default": default, "shape": None}
            for n, (kind, default) in types.items()
        ]
        return version(x, params=stated)

    before = params(top=("long", 5), mood=("string", "good"), share=("double", 0.5))
    after = params(top=("string", "5"), share=("double", 0.9), new=("long", 1))

    assert sorted((c.kind, c.path, c.effect) for c in compare(before, after)) == [
        ("added", "new", "compatible"),
        ("default", "share", "compatible"),
        ("default", "top", "compatible"),
        ("removed", "mood", "breaking"),
        ("retyped", "top", "breaking"),
    ]
    assert {c.part for c in compare(before, after)} == {"param"}
    assert seen(compare(params(top=("long", 5)), params(top=("double", 5)))) == [
        ("retyped", "top", "compatible")
    ]


def test_outputs_break_where_readers_miss_something() -> None:
    """Readers of predictions stand on the other side: what is narrower suits them."""
    x = [{"name": "x", "type": "long", "required": True}]

    def outputs(**types: str) -> Contract:
        return version(x, [{"name": n, "type": t, "required": True} for n, t in types.items()])

    changes = compare(
        outputs(label="string", score="double", rank="integer"),
        outputs(score="integer", rank="long", why="string"),
    )

    assert seen(changes) == [
        ("removed", "label", "breaking"),
        ("retyped", "rank", "breaking"),
        ("added", "why", "compatible"),
        ("retyped", "score", "compatible"),
    ]
    assert seen(compare(outputs(label="string"), version(x))) == [("removed", "", "compatible")]


def test_a_message_names_what_it_is_about_and_nothing_in_it_acts() -> None:
    """Names from data are shown, not obeyed."""
    hostile = "pri\x1b[31mce\u202e"

    changes = compare(contract(a="long"), contract(**{"a": "long", hostile: "long"}))

    assert "\x1b" not in changes[0].message
    assert "pri⟨U+001B⟩[31mce⟨U+202E⟩" in changes[0].message


# ----- batches -----


def test_a_receipt_records_each_type_as_arrow_has_it() -> None:
    """Whatever the type of a column of a batch, its recorded schema says it."""
    nested = pa.struct([pa.field("a b", pa.int64(), nullable=False), ("c", pa.list_(pa.float16()))])
    kinds = [
        *ARRIVING,
        nested,
        pa.map_(pa.string(), nested),
        pa.list_(nested, 3),
        pa.large_list(pa.map_(pa.string(), pa.int8())),
        pa.list_view(pa.date64()),
        pa.binary(4),
        pa.decimal256(50, -3),
        pa.struct([]),
        pa.fixed_shape_tensor(pa.float32(), [2, 3]),
    ]

    info = arriving(**{f"c{i}": kind for i, kind in enumerate(kinds)}, json="JSON: text")

    assert recorded_types(info) == [*kinds, None]


@pytest.mark.parametrize("lost", ["", "no base64", "AAAA", "/////wAA"])
def test_a_receipt_without_a_schema_is_read_by_its_printed_types(lost: str) -> None:
    """Receipts of version 0.1 have none; plain types are known by their names, others are not."""
    info = arriving(a="int64", b="timestamp[us]", c="list<item: int64>", d="JSON: text", e="")
    known = [pa.int64(), pa.timestamp("us"), None, None, None]

    assert recorded_types(info.model_copy(update={"arrow_schema": lost})) == known


@given(delivery=deliveries(), policy=POLICIES)
def test_a_recorded_schema_is_judged_as_the_batch_was(delivery: Any, policy: Policy) -> None:
    """The schema stage finds the same in what a receipt records as in the batch itself."""
    table, _, judge = delivery
    result = check(table, judge, policy)
    recorded = judge_schema(result.verdict.batch, judge, policy)

    whole = {(v.kind, v.column, v.severity) for v in recorded.schema_violations}

    assert whole <= {(v.kind, v.column, v.severity) for v in result.violations}
    if recorded.plan is None:
        assert {v.kind for v in result.violations if v.level == "batch"}


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("int32", "int64", [("retyped", "x", "breaking")]),
        ("int64", "int32", [("retyped", "x", "compatible")]),
        ("float", "double", [("retyped", "x", "breaking")]),
        ("string", "large_string", [("retyped", "x", "cosmetic")]),
        ("timestamp[ms]", "timestamp[us]", [("retyped", "x", "cosmetic")]),
        (pa.timestamp("us"), pa.timestamp("us", "UTC"), [("retyped", "x", "breaking")]),
        ("int64", "string", [("retyped", "x", "breaking")]),
        (LONGS, pa.large_list(pa.field("element", pa.int64())), []),
        (LONGS, pa.list_(pa.string()), [("retyped", "x[]", "breaking")]),
        (
            pa.list_(pa.field("item", pa.int64(), nullable=False)),
            LONGS,
            [("nullability", "x[]", "compatible")],
        ),
        (
            pa.struct({"a": pa.int64(), "b": pa.string()}),
            pa.struct({"a": pa.int64(), "c": pa.string()}),
            [("removed", "x.b", "breaking"), ("added", "x.c", "breaking")],
        ),
        (
            pa.list_(pa.float64(), 2),
            pa.list_(pa.float64(), 3),
            [("shape", "x", "breaking")],
        ),
        ("JSON: array", "JSON: array, text", [("retyped", "x", "cosmetic")]),
    ],
)
def test_arriving_types_break_what_they_fitted_before(
    before: str | pa.DataType, after: str | pa.DataType, expected: list[tuple[str, str, str]]
) -> None:
    """Without a contract, a type that some MLflow type takes less well than before breaks."""
    assert seen(compare(arriving(x=before), arriving(x=after))) == expected


def test_between_batches_the_way_back_is_inverted_too() -> None:
    """Columns that came have gone when looked at from the other end."""
    one = arriving(a="int64", dep_time="double", gone="string", z="int64")
    other = arriving(z="int64", a="string", DepTime="double", come="bool")

    there, back = compare(one, other), compare(other, one)

    assert {c.kind for c in there} == {"retyped", "renamed", "removed", "added", "order"}
    assert sorted(repr(core(c.inverted())) for c in there) == sorted(repr(core(c)) for c in back)


def test_a_batch_beside_a_contract() -> None:
    """Missing, misnamed and mistyped break; converted and surplus do not; equal is no change."""
    judge = contract(("maybe",), a="long", dep_time="double", maybe="long", t="string", i="integer")
    batch = arriving(a="int64", DepTime="double", t="int64", i="int64", more="string")

    changes = compare(judge, batch)

    assert sorted(seen(changes)) == [
        ("added", "more", "compatible"),
        ("removed", "maybe", "compatible"),
        ("renamed", "dep_time", "breaking"),
        ("retyped", "i", "compatible"),
        ("retyped", "t", "breaking"),
    ]
    assert {change.between for change in changes} == {"batch and contract"}
    swapped = {("removed", "more"), ("added", "maybe"), ("renamed", "DepTime")}
    assert swapped <= {(c.kind, c.path) for c in compare(batch, judge)}
    for ignored, effect in (("ignore", "cosmetic"), ("forbid", "breaking")):
        changes = compare(judge, batch, Policy.parse({"missing_optional": ignored}))
        assert ("removed", "maybe", effect) in seen(changes)
    keeps = Policy(rename={"DepTime": "dep_time"}, keep=("more",))
    assert ("added", "more", "cosmetic") in seen(compare(judge, batch, keeps))
    assert "renamed" not in {change.kind for change in compare(judge, batch, keeps)}
