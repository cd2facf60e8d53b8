"""Stock Great Expectations, as any project uses it: the oracle for rules."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import pandas as pd


class Answer(NamedTuple):
    """GX's result of one expectation; ``unexpected_count`` is None where it counts no rows."""

    success: bool
    unexpected_count: int | None
    observed: Any


@cache
def _whole_frame() -> Any:
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    asset = context.data_sources.add_pandas("pandas").add_dataframe_asset("frame")
    return asset.add_batch_definition_whole_dataframe("all")


def ask(frame: pd.DataFrame, expectations: list[dict[str, Any]]) -> list[Answer]:
    """Validate a frame by stock GX.

    Args:
        frame: Conformed rows.
        expectations: Expectations, as in a suite's JSON.

    Returns:
        One result for each, in their order.
    """
    import great_expectations as gx

    batch = _whole_frame().get_batch({"dataframe": frame})
    numbered: Any = [{**e, "meta": {"number": n}} for n, e in enumerate(expectations)]
    # For several quantile expectations on a column GX computes the quantiles of the first only.
    apart = [[e] for e in numbered if "quantile" in e["type"]]
    answers = dict[int, Answer]()
    for asked in ([e for e in numbered if "quantile" not in e["type"]], *apart):
        suite = gx.ExpectationSuite(name="oracle", expectations=asked)
        results = batch.validate(suite, result_format="SUMMARY").results
        answers |= {r.expectation_config.meta["number"]: _answer(r) for r in results}
    return [answers[number] for number in range(len(expectations))]


def _answer(result: Any) -> Answer:
    found = result.result or {}
    # Rules about distinct values count values, not rows.
    counted = found.get("unexpected_count") if "element_count" in found else None
    return Answer(bool(result.success), counted, found.get("observed_value"))
