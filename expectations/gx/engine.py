"""The only room that imports Great Expectations, and only once somebody needs it.

Judging leaves no trace: it uses a context in memory, without analytics and progress bars, and puts
back the one that was in use. What is written to a GX project is stock GX throughout, so that the
project works where signature-gate is not installed.
"""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime
from threading import Lock
from typing import TYPE_CHECKING, Any, cast

from ..errors import Misuse
from .name_aliases import alias_names, compatible_groups, renamed, restore_names
from .results import GxResult, judged, statistics

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from pathlib import Path

    import pandas as pd
    from great_expectations.core import ExpectationSuiteValidationResult
    from great_expectations.data_context.types.resource_identifiers import (
        ValidationResultIdentifier,
    )

    from .results import Answer, Expectation

_ONE_AT_A_TIME = Lock()
_NUMBER = "signature_gate_number"
_BATCH = "signature-gate"
_CONFIG = "great_expectations.yml"
# In one piece: GX writes its whole configuration as YAML for each part that is added.
_WHOLE = {"name": "batch", "type": "dataframe", "batch_definitions": [{"name": "all"}]}
_FORMAT = {"result_format": "COMPLETE", "return_unexpected_index_query": False}


def judge_frame(frame: pd.DataFrame, expectations: Sequence[Expectation]) -> list[GxResult]:
    """Judge a frame by stock GX: one result for each expectation, in their order."""
    import great_expectations as gx

    names = alias_names(list(frame.columns))
    numbered = [
        {**renamed(expectation, names), "meta": {_NUMBER: number}}
        for number, expectation in enumerate(expectations)
    ]
    by_number = dict[int, GxResult]()
    with _in_memory() as context:
        source = context.data_sources.add_pandas("signature-gate", assets=[_WHOLE])
        whole = source.get_asset("batch").get_batch_definition("all")
        batch = whole.get_batch({"dataframe": frame.rename(columns=names)})
        for together in compatible_groups(numbered):
            suite = gx.ExpectationSuite(name="signature-gate", expectations=cast("Any", together))
            results: Any = batch.validate(suite, result_format=cast("Any", _FORMAT)).results
            # GX lists errors first: a result carries its number, its place says nothing.
            by_number |= {r.expectation_config.meta[_NUMBER]: judged(r) for r in results}
    judgements = [by_number[number] for number in range(len(expectations))]
    return [j._replace(observed=restore_names(j.observed, names)) for j in judgements]


def why_refused(expectation: Expectation) -> str | None:
    """Say why GX does not take an expectation; None if it does."""
    from great_expectations.exceptions.exceptions import ExpectationNotFoundError
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

    try:
        ExpectationConfiguration(
            type=expectation["type"],
            kwargs=expectation["kwargs"],
            severity=expectation["severity"],
        ).to_domain_obj()
    except ExpectationNotFoundError:
        return "GX knows no expectation of this name"
    except Exception as error:  # noqa: BLE001 - whatever GX objects to is a reason
        return " ".join(str(error).split()) or type(error).__name__
    return None


@contextmanager
def _in_memory() -> Generator[Any]:
    from great_expectations.data_context.data_context.ephemeral_data_context import (
        EphemeralDataContext,
    )
    from great_expectations.data_context.types.base import (
        DataContextConfig,
        InMemoryStoreBackendDefaults,
        ProgressBarsConfig,
    )

    config = DataContextConfig(
        store_backend_defaults=InMemoryStoreBackendDefaults(init_temp_docs_sites=False),
        analytics_enabled=False,
        progress_bars=ProgressBarsConfig(globally=False),
    )
    with _ONE_AT_A_TIME, _giving_back() as lend:
        context = EphemeralDataContext(project_config=config)
        lend(context)
        yield context


@contextmanager
def _giving_back() -> Generator[Any]:
    """GX keeps one context for the whole process: afterwards the user's is in use again."""
    from great_expectations.data_context.data_context.context_factory import project_manager
    from great_expectations.exceptions.exceptions import DataContextRequiredError

    try:
        before = project_manager.get_current_project()
    except DataContextRequiredError:
        before = None
    try:
        yield project_manager.set_project
    finally:
        project_manager.set_project(before)


def suite_result(
    suite: str, answers: Sequence[Answer], meta: dict[str, Any]
) -> ExpectationSuiteValidationResult:
    """Make GX's own result of a validation; its percentages are GX's own arithmetic."""
    import great_expectations as gx
    from great_expectations.core import ExpectationSuiteValidationResult, RunIdentifier

    now = datetime.now(UTC)
    return ExpectationSuiteValidationResult(
        success=all(answer.success for answer in answers),
        results=[_result(answer) for answer in answers],
        suite_name=suite,
        suite_parameters={},
        statistics=cast("Any", statistics([answer.success for answer in answers])),
        meta={
            "great_expectations_version": gx.__version__,
            "run_id": RunIdentifier(run_name=meta["run"], run_time=now),
            "validation_time": now,
            "batch_kwargs": {"data_asset_name": meta["name"]},
            "signature_gate": meta,
        },
        batch_id=_BATCH,
    )


def _result(answer: Answer) -> Any:
    from great_expectations.core import ExpectationValidationResult
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

    kept: Any = {key: answer.expectation[key] for key in ("type", "kwargs", "severity")}
    stated: Any = ExpectationConfiguration(**kept).to_domain_obj()
    config = stated.configuration
    config.kwargs["batch_id"] = _BATCH
    return ExpectationValidationResult(
        success=answer.success,
        expectation_config=config,
        result=_details(stated, answer),
        meta={"signature_gate": list(answer.messages)} if answer.messages else {},
        exception_info=cast("Any", answer.exception_info),
    )


def _details(stated: Any, answer: Answer) -> dict[str, Any]:
    metric = getattr(stated, "map_metric", None)
    if answer.element_count is None or metric is None or answer.error is not None:
        return {} if answer.observed is None else {"observed_value": answer.observed}
    details: dict[str, Any] = stated._validate(  # noqa: SLF001 - the hook of every expectation
        metrics=answer.metrics(metric),
        runtime_configuration={"result_format": "BASIC"},
        execution_engine=None,
    )["result"]
    return {**details, "partial_unexpected_index_list": list(answer.positions)}


@contextmanager
def project(folder: Path) -> Generator[Any]:
    """Open a GX project, or begin one; Misuse if what is there cannot be opened."""
    import great_expectations as gx

    roots = [f for f in (folder, folder / "great_expectations") if (f / _CONFIG).is_file()]
    where: Any = {"context_root_dir": roots[0]} if roots else {"project_root_dir": folder}
    with _giving_back():
        try:
            context = gx.get_context(mode="file", **where)
        except Exception as error:
            msg = f"cannot open the GX project in {folder}: {error}. Check it with GX itself."
            raise Misuse(msg) from error
        yield context


def store(
    context: Any, suite: dict[str, Any], result: ExpectationSuiteValidationResult
) -> ValidationResultIdentifier:
    """Write a result to a project, and its suite if the project has none of this name."""
    import great_expectations as gx
    from great_expectations.data_context.types.resource_identifiers import (
        ExpectationSuiteIdentifier,
        ValidationResultIdentifier,
    )

    if suite["name"] not in {known.name for known in context.suites.all()}:
        context.suites.add(gx.ExpectationSuite(**suite))
    key = ValidationResultIdentifier(
        expectation_suite_identifier=ExpectationSuiteIdentifier(suite["name"]),
        run_id=result.meta["run_id"],
        batch_identifier=result.meta["run_id"].run_name,
    )
    context.validation_results_store.set(key, result)
    return key
