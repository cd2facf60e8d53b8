"""Verdicts on a day of flights, one for each outcome."""

from __future__ import annotations

from signature_gate.expectations.contract.model_version import ModelVersion
from signature_gate.expectations.contract.policy import Policy
from signature_gate.expectations.verdict.cause import Cause
from signature_gate.expectations.verdict.conversion import Conversion
from signature_gate.expectations.verdict.verdict import BatchInfo, Verdict, Violation

_ARRIVING = {
    "year": "int32",
    "month": "int32",
    "day": "int32",
    "dep_time": "double",
    "sched_dep_time": "int64",
    "arr_time": "double",
    "sched_arr_time": "int64",
    "carrier": "string",
    "flight": "int32",
    "tailnum": "string",
    "origin": "string",
    "dest": "string",
    "distance": "int64",
    "hour": "int64",
    "minute": "int64",
    "time_hour": "timestamp[us]",
    "Air Time": "double",
    "note": "string",
}
_SCANNED = ("dep_time", "arr_time", "tailnum", "air_time", "time_hour")
_FOOTER = ("sched_dep_time", "sched_arr_time", "carrier", "origin", "dest")
_MODEL = ModelVersion(
    uri="models:/flights@champion",
    pinned="models:/flights/3",
    name="flights",
    version="3",
    model_id="m-6f1d0a2b9c7e4d58a1f3",
)
_CONTRACT = "9b1f6a2c40d7e835"

LATE_DEPARTURES = Violation(
    kind="null",
    column="dep_time",
    expected="long in every row",
    observed="null",
    remedy=(
        "Fill 'dep_time' before delivery, or log the model again with it as double, "
        "which can carry null."
    ),
    because="long cannot carry null to the model",
    count=32,
    rows=(838, 839, 840, 841, 842),
    sample=("null", "null", "null", "null", "null"),
    expectation={
        "type": "expect_column_values_to_not_be_null",
        "kwargs": {"column": "dep_time"},
    },
)
FRACTIONS = Violation(
    kind="not_representable",
    column="arr_time",
    expected="whole values within the range of long",
    observed="values with a fraction",
    remedy="Round 'arr_time' before delivery, or log the model again with it as double.",
    because="double to long: whole values within the target's range",
    count=3,
    rows=(17, 401, 402),
    sample=("1103.5", "1427.25", "1427.75"),
    expectation={"type": "expect_column_type_to_be", "kwargs": {"column": "arr_time"}},
)
EXTRA_NOTE = Violation(
    kind="extra_column",
    column="note",
    expected="only columns that the model knows",
    observed="1 more: 'note'",
    remedy="Drop it, list it in policy keep, or set policy extra_columns: ignore.",
    because="policy extra_columns: warn",
    severity="warning",
)
MISSING_CARRIER = Violation(
    kind="missing_column",
    column="carrier",
    expected="a column of type string",
    observed="no such column",
    remedy='If \'Carrier \' is the same column, set policy rename: {"Carrier ": "carrier"}.',
    because="the signature requires it",
    expectation={"type": "expect_column_to_exist", "kwargs": {"column": "carrier"}},
)
TEXT_DISTANCE = Violation(
    kind="type_mismatch",
    column="distance",
    expected="long",
    observed="string",
    remedy="Deliver 'distance' as long, or have its text parsed by policy parse_text: allow.",
    because="string never conforms to long",
    expectation={"type": "expect_column_type_to_be", "kwargs": {"column": "distance"}},
)
CORRUPT = Violation(
    kind="unreadable",
    expected="a Parquet file",
    observed="1,388 bytes that end without the magic bytes PAR1",
    remedy="Deliver the file again: this one was cut short on its way.",
    because="a Parquet file ends with its footer",
)

CAUSE = Cause(
    conditions=("carrier = '9E'",),
    places=("rows 100 to 180",),
    columns=("carrier",),
    rejected=32,
    of=32,
    rows=35,
)


def policy(**fields: object) -> Policy:
    """Make the flights' policy: one column has another name in the batch."""
    return Policy.parse({"rename": {"Air Time": "air_time"}} | fields)


def flights(*violations: Violation, rows: int | None = 971, **facts: object) -> Verdict:
    """Make the verdict on the second of January 2013; ``facts`` are its other fields."""
    stopped = any(v.level == "batch" and v.severity == "critical" for v in violations)
    counts = [v.count or 0 for v in violations if v.severity == "critical"]
    found: dict[str, object] = {
        "batch": BatchInfo(
            name="flights-2013-01-02.parquet",
            uri="inbox/flights-2013-01-02.parquet",
            format="parquet",
            bytes=61_482,
            columns=tuple(_ARRIVING.items()),
        ),
        "model": _MODEL,
        "contract": _CONTRACT,
        "policy": policy(),
        "rows": rows,
        "rejected": sum(counts),
        "violations": violations,
        "conversions": conversions(),
        "evidence": evidence(stopped=stopped),
        "gate_version": "0.1.0",
    }
    return Verdict.model_validate(found | facts)


def conversions() -> tuple[Conversion, ...]:
    """Return the conversions of the day's narrower and wider columns."""
    widened = (("year", "int32"), ("month", "int32"), ("day", "int32"), ("flight", "int32"))
    whole = (("dep_time", "double"), ("arr_time", "double"))
    return (
        *(Conversion(column=c, arrived=a, becomes="long") for c, a in (*widened, *whole)),
        Conversion(column="time_hour", arrived="timestamp[us]", becomes="datetime"),
    )


def evidence(*, stopped: bool = False) -> dict[str, str]:
    """Return the stage that decided each column of the contract."""
    names = [name for name in (*_ARRIVING, "air_time") if name not in {"note", "Air Time"}]
    stages = {
        name: "scan" if name in _SCANNED else "footer" if name in _FOOTER else "schema"
        for name in names
    }
    return {n: s for n, s in stages.items() if s == "schema"} if stopped else stages


def passed() -> Verdict:
    """Return the verdict on a batch that passed with a warning."""
    return flights(EXTRA_NOTE)


def split() -> Verdict:
    """Return the verdict on a batch that is split."""
    splitting = policy(on_mismatch="split", keep=("tailnum",))
    return flights(LATE_DEPARTURES, EXTRA_NOTE, policy=splitting, causes=[CAUSE])


def quarantined() -> Verdict:
    """Return the verdict on a batch that is quarantined whole for some of its rows."""
    return flights(LATE_DEPARTURES, FRACTIONS, EXTRA_NOTE)


def misshapen() -> Verdict:
    """Return the verdict on a batch whose columns do not fit, so that no row was judged."""
    return flights(MISSING_CARRIER, TEXT_DISTANCE, EXTRA_NOTE)


def failed() -> Verdict:
    """Return the verdict on a batch that the policy fails."""
    return flights(LATE_DEPARTURES, policy=policy(on_mismatch="fail"))


def unreadable() -> Verdict:
    """Return the verdict on a truncated file."""
    batch = BatchInfo(name="flights-2013-01-02.parquet", format="parquet", bytes=1_388)
    return flights(CORRUPT, rows=None, batch=batch, evidence={}, conversions=())


def empty() -> Verdict:
    """Return the verdict on a batch without rows, under a policy that allows it."""
    return flights(rows=0, policy=policy(min_rows=0), conversions=())


def wide(columns: int = 1_000, faulty: int = 40) -> Verdict:
    """Return the verdict on a batch of many columns, a few of them with nulls."""
    names = [f"sensor_{i:04}" for i in range(columns)]
    violations = [
        LATE_DEPARTURES.model_copy(update={"column": name, "count": 1 + i % 7})
        for i, name in enumerate(names[:faulty])
    ]
    batch = BatchInfo(
        name="sensors.parquet",
        format="parquet",
        bytes=48_112_904,
        columns=tuple((n, "int64") for n in names),
    )
    return flights(
        *violations,
        rejected=31,
        batch=batch,
        evidence=dict.fromkeys(names, "footer"),
        conversions=tuple(Conversion(column=n, arrived="int64", becomes="double") for n in names),
    )


ATTACKS = (
    "<script>window.hacked=1</script>",
    '"><img src=x onerror="window.hacked=1">',
    "</style><script>window.hacked=1</script>",
    "' onmouseover='window.hacked=1",
    "</title><svg onload=window.hacked=1>",
    "--><iframe srcdoc='<script>parent.hacked=1</script>'>",
    "{{ 7 * 7 }}{% raw %}",
    "javascript:window.hacked=1",
    "red;} body { display: none } x {",
    "\u202etxt.exe\u202c \u2066isolated\u2069",
    "nul\x00 bell\x07 escape\x1b[31m",
    "half \ud83d",
    "W" * 900,
)


def hostile() -> Verdict:
    """Return a verdict in which every text that comes from data is an attack."""
    violations = [
        LATE_DEPARTURES.model_copy(
            update={
                "column": attack,
                "expected": attack,
                "observed": attack,
                "remedy": attack,
                "because": attack,
                "files": ATTACKS,
                "sample": ATTACKS,
                "count": 2,
            }
        )
        for attack in ATTACKS
    ]
    names = " ".join(ATTACKS)
    return flights(
        *violations,
        batch=BatchInfo(name=names, uri=names, format=names, columns=[(a, a) for a in ATTACKS]),
        model=ModelVersion(uri=names, pinned=names, name=names, version=names, model_id=names),
        contract=names,
        causes=[
            Cause(conditions=ATTACKS, places=ATTACKS, columns=ATTACKS, rejected=26, of=26, rows=30)
        ],
        policy=Policy(
            keep=ATTACKS, null_values=ATTACKS, rename={a: a + "!" for a in ATTACKS}, rules=names
        ),
        conversions=[Conversion(column=a, arrived=a, becomes=a) for a in ATTACKS],
        engine=names,
        gate_version=names,
    )


FARES = {
    "passed": passed,
    "split": split,
    "quarantined": quarantined,
    "misshapen": misshapen,
    "failed": failed,
    "unreadable": unreadable,
    "empty": empty,
}
