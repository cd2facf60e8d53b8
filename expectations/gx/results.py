"""What stock GX answers, in plain terms."""

from __future__ import annotations

from typing import Any, NamedTuple


class GxResult(NamedTuple):
    """The result of stock GX for one expectation.

    Attributes:
        success: Whether the expectation is met.
        element_count: Rows that it looked at, for expectations on rows.
        unexpected_count: Rows that break it; None for expectations on the whole.
        positions: Where they are, from 0.
        observed: What was measured, for expectations on the whole.
        error: Why GX could not judge it.
    """

    success: bool
    element_count: int | None = None
    unexpected_count: int | None = None
    positions: tuple[int, ...] = ()
    observed: Any = None
    error: str | None = None


def judged(result: Any) -> GxResult:
    """Read one of GX's own results."""
    if error := _error(result.exception_info):
        return GxResult(success=False, error=error)
    answer: dict[str, Any] = result.result or {}
    if "unexpected_index_list" not in answer:
        return GxResult(bool(result.success), observed=_plain(answer))
    missing = answer.get("missing_count") or 0
    return GxResult(
        bool(result.success),
        element_count=answer["element_count"] - missing,
        unexpected_count=answer["unexpected_count"],
        positions=tuple(int(index) for index in answer["unexpected_index_list"]),
    )


def _plain(answer: dict[str, Any]) -> Any:
    """What was measured, in types that JSON has."""
    observed = answer.get("observed_value")
    if observed is None and "details" in answer:
        observed = answer["details"]
    if observed is None:
        counts = {key: value for key, value in answer.items() if key.endswith(("_count", "_list"))}
        observed = counts or None
    return _in_json(observed)


def _in_json(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _in_json(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set):
        return [_in_json(inner) for inner in value]
    scalar = value.item() if hasattr(value, "item") else value
    return scalar if isinstance(scalar, bool | int | float | str | None) else str(scalar)


def _error(info: Any) -> str | None:
    if not info:
        return None
    # One metric that failed, or a mapping of all that did.
    stated: Any = info if "raised_exception" in info else next(iter(info.values()), {})
    plain = stated if isinstance(stated, dict) else stated.to_json_dict()
    return str(plain["exception_message"]) if plain.get("raised_exception") else None


def statistics(met: list[bool]) -> dict[str, Any]:
    """Count as a validation of GX does; there is no percentage of nothing."""
    return {
        "evaluated_expectations": len(met),
        "successful_expectations": sum(met),
        "unsuccessful_expectations": len(met) - sum(met),
        "success_percent": 100 * sum(met) / len(met) if met else None,
    }


Expectation = dict[str, Any]


class Answer(NamedTuple):
    """What became of one expectation.

    Attributes:
        expectation: In plain form.
        success: Whether it is met.
        rows: Rows that it was judged on.
        element_count: Those that it looked at; None for expectations on the whole.
        unexpected_count: Those that break it.
        positions: Where the first of them are.
        values: What is there; safe in GX's pages, like all that data can fill.
        observed: What was measured, for expectations on the whole.
        error: Why it could not be judged.
        messages: What the verdict says of it.
    """

    expectation: Expectation
    success: bool
    rows: int = 0
    element_count: int | None = None
    unexpected_count: int = 0
    positions: tuple[int, ...] = ()
    values: tuple[Any, ...] = ()
    observed: Any = None
    error: str | None = None
    messages: tuple[str, ...] = ()

    def metrics(self, name: str) -> dict[str, Any]:
        """Say the counts as GX's metrics, of which it makes a result."""
        return {
            "table.row_count": self.rows,
            "column_values.nonnull.unexpected_count": self.rows - (self.element_count or 0),
            f"{name}.filtered_row_count": self.element_count,
            f"{name}.unexpected_count": self.unexpected_count,
            f"{name}.unexpected_values": list(self.values),
        }

    @property
    def exception_info(self) -> dict[str, Any]:
        """Say the error as GX does."""
        return {
            "raised_exception": self.error is not None,
            "exception_traceback": None,
            "exception_message": self.error,
        }
