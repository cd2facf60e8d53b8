"""A citizen of Great Expectations: reference engine, genuine results, data docs of any project."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import polars as pl
import pytest
import sample_verdicts
from commands import run
from small_checks import SPLIT, contract, split, violations_in

from signature_gate import Contract, Policy, check
from signature_gate.expectations.conform.conversions import PANDAS_DTYPES
from signature_gate.expectations.errors import Misuse
from signature_gate.expectations.report.gx_docs import publish_docs, validation_result
from signature_gate.expectations.suite import to_suite
from signature_gate.expectations.verdict.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from great_expectations.core import ExpectationSuiteValidationResult

_SMALL = contract(optional=("b",), a="long", b="double", s="string")
RULES: tuple[dict[str, Any], ...] = (
    {
        "type": "expect_column_values_to_be_between",
        "kwargs": {"column": "a", "max_value": 9},
        "severity": "critical",
    },
    {
        "type": "expect_column_mean_to_be_between",
        "kwargs": {"column": "b", "max_value": 9},
        "severity": "warning",
    },
    {
        "type": "expect_column_values_to_match_regex",
        "kwargs": {"column": "s", "regex": "(?=x)x", "mostly": 0.5},
        "severity": "warning",
    },
)
CONTRACT = replace(_SMALL, rules=RULES)
ROWS = pl.DataFrame({"a": [1, 2, 50, None], "b": [1.0, None, 3.0, 4.0], "s": ["x", "x", "y", "x"]})
GOOD = ROWS.head(2)


def _index(folder: Path) -> str:
    return (folder / "gx/uncommitted/data_docs/local_site/index.html").read_text("utf-8")


def _saved(folder: Path, verdict: Verdict) -> Path:
    path = folder / "verdict.json"
    path.write_text(verdict.to_json(), "utf-8")
    return path


@pytest.fixture
def own_context() -> Iterator[Any]:
    """A user's own GX context, in use while the gate works."""
    import great_expectations as gx
    from great_expectations.data_context.data_context.context_factory import project_manager

    before = gx.get_context(mode="ephemeral")
    yield before
    assert project_manager.get_current_project() is before


# ----- the reference engine -----


@pytest.mark.parametrize("rows", [ROWS, GOOD, ROWS.head(0)])
def test_gx_reaches_the_verdict_that_polars_reaches(rows: pl.DataFrame, own_context: Any) -> None:
    """Same kinds, counts and rows; the verdict names the engine, and the user's context is back."""
    ours, theirs = (check(rows, CONTRACT, SPLIT, engine=engine) for engine in ("polars", "gx"))

    assert violations_in(ours) == violations_in(theirs)
    assert [v.rows for v in ours.violations] == [v.rows for v in theirs.violations]
    assert [v.message for v in ours.violations] == [v.message for v in theirs.violations]
    assert [(r.success, r.unexpected_count) for r in ours.verdict.rules] == [
        (r.success, r.unexpected_count) for r in theirs.verdict.rules
    ]
    assert (ours.verdict.engine, theirs.verdict.engine) == ("polars+gx", "gx")
    assert {v.engine for v in theirs.violations} <= {"gx"}


def test_values_that_cannot_conform_are_the_gates_own_under_gx_too() -> None:
    """There is no frame for GX to judge where a value has no place in the model's type."""
    rows = pl.DataFrame({"a": [1.0, 2.5, None], "b": [0.5] * 3, "s": ["x", None, "y"]})

    result = check(rows, CONTRACT, split(), engine="gx")

    assert [(v.kind, v.count, v.engine) for v in result.violations] == [
        ("null", 1, "gx"),
        ("not_representable", 1, "polars"),
        ("null", 1, "gx"),
    ]


def test_texts_that_stand_for_null_are_null_to_gx() -> None:
    """The policy decides what is null before GX counts it."""
    rows = pl.DataFrame({"a": ["1", "NA", "x"], "s": ["NA", "y", "z"]})

    policy = split(parse_text="allow", null_values=("NA",), missing_optional="ignore")

    result = check(rows, CONTRACT, policy, engine="gx")

    assert [(v.kind, v.column, v.rows) for v in result.violations] == [
        ("null", "a", (1,)),
        ("unparseable", "a", (2,)),
        ("null", "s", (0,)),
    ]


def test_gx_writes_its_configuration_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """For source, asset and batch together: that YAML costs more than judging a small frame."""
    from great_expectations.data_context.data_context_variables import DataContextVariables

    from signature_gate.expectations.gx.engine import judge_frame

    written, save = list[Any](), DataContextVariables.save

    def watched(variables: Any) -> Any:
        written.append(variables)
        return save(variables)

    monkeypatch.setattr(DataContextVariables, "save", watched)

    (result,) = judge_frame(pd.DataFrame({"a": [1, 99]}), [RULES[0]])

    assert result.unexpected_count == 1
    assert len(written) == 1


def test_names_that_gx_confuses_are_told_apart() -> None:
    """GX looks names up without regard to case and quotes; its answers are about the right ones."""
    twins = contract(a="long", A="double", **{'"a"': "string"})
    rows = pl.DataFrame({"a": [1, 2], "A": [0.5, 0.7], '"a"': ["x", "y"]})
    rules = tuple(
        {"type": f"expect_{kind}", "kwargs": kwargs}
        for kind, kwargs in (
            ("column_values_to_be_between", {"column": "A", "min_value": 0.6}),
            ("column_pair_values_to_be_equal", {"column_A": "a", "column_B": "A"}),
            ("column_type_to_be", {"column": '"a"', "type_": "str"}),
            (
                "column_values_to_be_null",
                {
                    "column": "a",
                    "row_condition": {
                        "type": "comparison",
                        "column": {"name": '"a"'},
                        "operator": "==",
                        "parameter": "y",
                    },
                },
            ),
            ("table_columns_to_match_set", {"column_set": ["a", "A"]}),
        )
    )

    for engine in ("polars", "gx"):
        result = check(rows, replace(twins, rules=rules), SPLIT, engine=engine)

        assert [v.rows for v in result.violations] == [(0,), (0, 1), (1,), ()]
        assert {"a", "A", '"a"'} == set(ast.literal_eval(f"[{result.violations[-1].observed}]"))


def test_objects_are_null_to_gx_where_they_are_none() -> None:
    """Cells of a pandas column of objects that fit no type are there all the same."""
    cells = {"a": [1, None, "x", [2]], "s": ["x", None, 3, "y"]}

    ours, theirs = (
        check(pd.DataFrame(cells, dtype=object), _SMALL, SPLIT, engine=engine)
        for engine in ("polars", "gx")
    )

    assert [(v.kind, v.column, v.rows) for v in ours.violations] == [
        (v.kind, v.column, v.rows) for v in theirs.violations
    ]
    assert [v.rows for v in theirs.violations if v.engine == "gx"] == [(1,), (1,)]


def test_gx_would_catch_a_frame_that_the_gate_got_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reference judges the frame that is handed over: a wrong type in it does not pass."""
    monkeypatch.setitem(PANDAS_DTYPES, "long", "int32")

    result = check(GOOD, _SMALL, engine="gx")

    assert [(v.kind, v.column, v.engine) for v in result.violations] == [
        ("type_mismatch", "a", "gx")
    ]
    assert result.violations[0].observed == "int64"


def test_a_batch_of_the_wrong_shape_never_reaches_gx() -> None:
    """The schema stage comes first, whatever the engine."""
    result = check(ROWS.drop("a"), CONTRACT, engine="gx")

    assert violations_in(result) == [("missing_column", "a", None)]
    assert [r.success for r in result.verdict.rules] == [None] * len(RULES)


def test_rows_are_found_across_files_under_gx(tmp_path: Path) -> None:
    """A folder is one batch to GX too, and its rows are laid to their files."""
    for number in range(2):
        ROWS.slice(2 * number, 2).write_parquet(tmp_path / f"{number}.parquet")

    ours, theirs = (check(tmp_path, CONTRACT, SPLIT, engine=engine) for engine in ("polars", "gx"))

    assert [(v.kind, v.rows, v.files) for v in ours.violations] == [
        (v.kind, v.rows, v.files) for v in theirs.violations
    ]
    assert theirs.accepted.collect()["_row"].to_list() == [0, 1]  # type: ignore[union-attr]


def test_an_engine_that_there_is_not_is_refused() -> None:
    """Misuse, with the engines there are."""
    with pytest.raises(Misuse, match="polars, gx"):
        check(ROWS, CONTRACT, engine="spark")  # type: ignore[arg-type]


# ----- genuine results -----


def _by_type(result: ExpectationSuiteValidationResult) -> dict[tuple[str, str | None], Any]:
    return {
        (r.expectation_config.type, r.expectation_config.kwargs.get("column")): r  # type: ignore[union-attr]
        for r in result.results
    }


def test_a_saved_verdict_becomes_a_genuine_result() -> None:
    """From JSON alone: GX's own classes, one result for each expectation, GX's own percentages."""
    from great_expectations.core import ExpectationSuiteValidationResult

    verdict = Verdict.from_json(check(ROWS, CONTRACT, SPLIT).verdict.to_json())

    result = validation_result(verdict)

    assert isinstance(result, ExpectationSuiteValidationResult)
    assert not result.success
    assert result.statistics["evaluated_expectations"] == len(result.results) == 10
    answers = _by_type(result)
    between = answers["expect_column_values_to_be_between", "a"]
    assert between.result["unexpected_count"] == 1
    assert between.result["unexpected_percent"] == pytest.approx(100 / 3)
    assert between.result["partial_unexpected_list"] == [50]
    assert between.result["partial_unexpected_index_list"] == [2]
    assert between.expectation_config.severity == "critical"
    nulls = answers["expect_column_values_to_not_be_null", "a"]
    assert (nulls.success, nulls.result["unexpected_count"]) == (False, 1)
    assert answers["expect_column_mean_to_be_between", "b"].result == {"observed_value": 2.0}
    assert answers["expect_column_values_to_match_regex", "s"].success
    assert json.loads(json.dumps(result.to_json_dict()))["suite_name"] == result.suite_name


@pytest.mark.parametrize("rows", [ROWS, GOOD, GOOD.drop("b"), ROWS.head(0)])
def test_a_result_says_what_a_validation_would_have_said(rows: pl.DataFrame) -> None:
    """Success of each expectation is that which the gate found, and nothing else fails.

    No expectation states that an optional column did not arrive: GX has no conditional one.
    """
    verdict = check(rows, CONTRACT, SPLIT).verdict

    result = validation_result(verdict)

    failed = [r for r in result.results if not r.success]
    stated = {str(v.expectation) for v in verdict.violations if v.expectation}
    assert len(failed) == len(stated)
    assert result.success is not bool(stated)


def test_a_batch_that_was_stopped_has_results_for_what_was_judged() -> None:
    """After names and types nothing was asked of the rows: no result claims that it was."""
    verdict = check(ROWS.select("s", a=pl.lit("x")), CONTRACT).verdict

    answers = _by_type(validation_result(verdict))

    assert {kind for kind, _ in answers} == {
        "expect_table_columns_to_match_set",
        "expect_column_type_to_be",
    }
    assert not answers["expect_column_type_to_be", "a"].success
    assert answers["expect_column_type_to_be", "s"].success


def test_a_batch_that_cannot_be_read_is_an_exception_to_gx(tmp_path: Path) -> None:
    """As where GX itself fails to read: no success, and the reason in exception_info."""
    (tmp_path / "broken.parquet").write_bytes(b"PAR1")

    result = validation_result(check(tmp_path / "broken.parquet", CONTRACT).verdict)

    (answer,) = result.results
    assert not result.success
    assert answer.exception_info["raised_exception"]
    assert "unreadable" in answer.exception_info["exception_message"]


@pytest.mark.parametrize("fare", [n for n in sample_verdicts.FARES if n != "empty"])
def test_a_verdict_without_a_contract_has_no_result(fare: str) -> None:
    """Without a signature there is no suite; the text says what to do."""
    with pytest.raises(Misuse, match="has no suite"):
        validation_result(sample_verdicts.FARES[fare]())


def test_what_no_expectation_states_is_laid_to_the_columns(tmp_path: Path) -> None:
    """Each blocking violation makes some expectation fail, and is told there."""
    (tmp_path / "rows.csv").write_text("a,b,s\n1,2,x\n1,2,x,4\n2,q,y\n", "utf-8")
    verdict = check(tmp_path / "rows.csv", _SMALL).verdict

    failed = [r for r in validation_result(verdict).results if not r.success]

    assert [v.kind for v in verdict.violations] == ["malformed_row", "unparseable"]
    assert [r.expectation_config.type for r in failed] == [  # type: ignore[union-attr]
        "expect_table_columns_to_match_set",
        "expect_column_type_to_be",
    ]
    told = [message for r in failed for message in r.meta["signature_gate"]]
    assert told == [v.message for v in verdict.violations]


def test_checkpoint_actions_run_on_a_result(tmp_path: Path) -> None:
    """An action of the user's own, and GX's UpdateDataDocsAction, take it for a real run's."""
    import great_expectations as gx
    from great_expectations.checkpoint.actions import UpdateDataDocsAction, ValidationAction
    from great_expectations.checkpoint.checkpoint import CheckpointResult

    from signature_gate.expectations.gx.engine import store
    from signature_gate.expectations.report.gx_results import suite_of

    class Remember(ValidationAction):
        type: str = "remember"

        def run(self, checkpoint_result: Any, **_: Any) -> dict[str, Any]:
            (only,) = checkpoint_result.run_results.values()
            return {"failure": str(only.get_max_severity_failure()), "success": only.success}

    verdict = check(ROWS, CONTRACT, SPLIT).verdict
    result = validation_result(verdict)
    context = gx.get_context(mode="file", project_root_dir=tmp_path)
    key = store(context, suite_of(verdict, whole=True), result)
    asset = context.data_sources.add_pandas("pandas").add_dataframe_asset("frame")
    definition = context.validation_definitions.add(
        gx.ValidationDefinition(
            name="gate",
            data=asset.add_batch_definition_whole_dataframe("all"),
            suite=context.suites.get(result.suite_name),
        )
    )
    checkpoint = gx.Checkpoint(name="gate", validation_definitions=[definition])
    run_of = CheckpointResult(
        run_id=key.run_id,
        run_results={key: result},
        checkpoint_config=checkpoint,
        success=bool(result.success),
    )

    said = Remember(name="remember").run(run_of)
    pages = UpdateDataDocsAction(name="docs").run(run_of)

    assert said == {"failure": "FailureSeverity.CRITICAL", "success": False}
    (page,) = pages[key].values()
    assert "must be less than or equal to" in Path(page.removeprefix("file://")).read_text("utf-8")


# ----- data docs -----


def test_docs_begin_a_project_where_there_is_none(tmp_path: Path) -> None:
    """A folder without a project gets one; the index lists the suite and the validation."""
    verdict = check(ROWS, CONTRACT, SPLIT).verdict
    suite = f"signature-{CONTRACT.fingerprint}"

    index = publish_docs(_saved(tmp_path, verdict), tmp_path / "project")

    page = index.read_text("utf-8")
    assert index.parts[-2:] == ("local_site", "index.html")
    assert suite in page
    assert "polars-frame" in page
    assert (tmp_path / "project/gx/expectations" / f"{suite}.json").is_file()


def test_docs_join_a_project_that_there_is(tmp_path: Path) -> None:
    """What a project had stays as it was, an edited suite of the same name included."""
    import great_expectations as gx

    verdict = check(GOOD, CONTRACT, SPLIT).verdict
    context = gx.get_context(mode="file", project_root_dir=tmp_path)
    context.suites.add(gx.ExpectationSuite(name="theirs"))
    edited = gx.ExpectationSuite(name=f"signature-{CONTRACT.fingerprint}")
    context.suites.add(edited)
    before = {p: p.read_bytes() for p in (tmp_path / "gx/expectations").glob("*.json")}
    saved = _saved(tmp_path, verdict)

    pages = {publish_docs(saved, folder) for folder in (tmp_path, tmp_path / "gx")}

    assert len(pages) == 1
    assert {p: p.read_bytes() for p in before} == before
    assert len(list((tmp_path / "gx/uncommitted/validations").rglob("*.json"))) == 2


def test_a_project_with_our_suite_works_without_us(tmp_path: Path) -> None:
    """Only stock GX is stored: the project runs where signature-gate is not installed."""
    publish_docs(_saved(tmp_path, check(GOOD, CONTRACT, SPLIT).verdict), tmp_path)
    code = f"""
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "signature_gate":
            raise ImportError(name)
sys.meta_path.insert(0, Blocked())
import great_expectations as gx, pandas as pd
context = gx.get_context(mode="file", project_root_dir={str(tmp_path)!r})
(suite,) = context.suites.all()
frame = pd.DataFrame({{"a": [1, 2], "b": [1.0, None], "s": ["x", "x"]}})
asset = context.data_sources.add_pandas("p").add_dataframe_asset("f")
batch = asset.add_batch_definition_whole_dataframe("all").get_batch({{"dataframe": frame}})
assert batch.validate(suite).success
assert not batch.validate(suite).results == []
(key,) = context.validation_results_store.list_keys()
assert context.validation_results_store.get(key).success
context.build_data_docs()
assert not any(name.startswith("signature_gate") for name in sys.modules)
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True)


def test_a_plain_suite_loads_into_any_store(tmp_path: Path) -> None:
    """Names of suites are ones that GX's stores on disk take."""
    import great_expectations as gx

    from signature_gate.expectations.contract.model_version import ModelVersion

    context = gx.get_context(mode="file", project_root_dir=tmp_path)
    named = ModelVersion(uri="models:/a/b@c", pinned="models:/a b/3", name="a b", version="3")
    for model in (named, ModelVersion(uri="m", pinned="models:/m-1/x"), None):
        context.suites.add(gx.ExpectationSuite(**to_suite(replace(CONTRACT, model=model))))

    assert {suite.name for suite in context.suites.all()} == {
        "a-b-3",
        "models-m-1-x",
        f"signature-{CONTRACT.fingerprint}",
    }


def test_values_of_the_batch_are_data_in_data_docs(tmp_path: Path) -> None:
    """GX's pages escape nothing: what a batch holds is escaped before it gets there."""
    attack = "<script>window.hacked=1</script>"
    rules = tuple(
        {"type": f"expect_column_{kind}", "kwargs": {"column": "s", "value_set": ["x"]}}
        for kind in ("values_to_be_in_set", "distinct_values_to_be_in_set")
    )
    batch = pl.DataFrame({"a": [1], "s": [attack], attack: [1]})
    batch.write_parquet(tmp_path / "<img src=x onerror=hacked()>.parquet")
    policy = Policy(extra_columns="forbid")

    for forbidding in (Policy(), policy):
        verdict = check(
            tmp_path / "<img src=x onerror=hacked()>.parquet",
            replace(_SMALL, rules=rules),
            forbidding,
        ).verdict
        index = publish_docs(_saved(tmp_path, verdict), tmp_path)

    pages = [page.read_text("utf-8") for page in index.parent.rglob("*.html")]
    assert len(pages) == 4
    assert [page for page in pages if "&lt;script&gt;" in page]
    assert not [page for page in pages if "<script>window" in page or "<img src=x" in page]


def test_a_project_without_data_docs_says_so(tmp_path: Path) -> None:
    """The result is stored, and the text says what is missing."""
    import great_expectations as gx

    context = gx.get_context(mode="file", project_root_dir=tmp_path)
    context.delete_data_docs_site("local_site")

    with pytest.raises(Misuse, match="no data docs on this machine"):
        publish_docs(_saved(tmp_path, check(GOOD, CONTRACT).verdict), tmp_path)

    assert len(list((tmp_path / "gx/uncommitted/validations").rglob("*.json"))) == 1


def test_a_column_whose_name_is_markup_is_not_published(tmp_path: Path) -> None:
    """Names cannot be escaped without naming another column: GX's pages would run them."""
    judged_by = Contract.from_signature({"inputs": json.dumps([{"name": "<b>", "type": "string"}])})
    verdict = check(pl.DataFrame({"<b>": ["x"]}), judged_by).verdict

    with pytest.raises(Misuse, match="would be markup"):
        publish_docs(_saved(tmp_path, verdict), tmp_path)


@pytest.mark.parametrize(
    "noted",
    [
        {"kwargs": {"column": "s", "value_set": ["<img src=x onerror=hacked()>"]}},
        {"kwargs": {"column": "s", "value_set": ["x"]}, "notes": "<script>hacked()</script>"},
        {"kwargs": {"column": "s", "value_set": ["x"]}, "description": "[x](JavaScript:hacked())"},
    ],
)
def test_a_rule_that_holds_markup_is_not_published(tmp_path: Path, noted: Any) -> None:
    """A rules file is no place from which a page gets its scripts."""
    rule = {"type": "expect_column_values_to_be_in_set", **noted}
    verdict = check(GOOD, replace(_SMALL, rules=(rule,))).verdict

    with pytest.raises(Misuse, match="would be markup"):
        publish_docs(_saved(tmp_path, verdict), tmp_path)


def test_the_command_publishes_a_verdict_that_check_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`check --json > FILE` and `docs FILE --project FOLDER` are all it takes."""
    suite, batch, rules = (tmp_path / name for name in ("suite.json", "b.parquet", "rules.json"))
    suite.write_text(json.dumps(to_suite(_SMALL)), "utf-8")
    rules.write_text(json.dumps({"expectations": list(RULES)}), "utf-8")
    GOOD.write_parquet(batch)

    code, out, _ = run(
        capsys, "check", str(suite), str(batch), "--rules", str(rules), "--engine", "gx", "--json"
    )
    (tmp_path / "verdict.json").write_text(out, "utf-8")
    published, said, _ = run(
        capsys, "docs", str(tmp_path / "verdict.json"), "--project", str(tmp_path / "project")
    )

    assert (code, published) == (0, 0)
    verdict = Verdict.from_json(out)
    assert (verdict.engine, len(verdict.rules)) == ("gx", len(RULES))
    assert str(tmp_path / "project") in said.replace("\n", "")
    assert "b.parquet" in _index(tmp_path / "project")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["docs", "no-such.json", "--project", "{folder}/project"], "no-such.json"),
        (["docs", "{folder}/rows.csv", "--project", "{folder}/project"], "is no verdict"),
        (["docs", "{folder}/verdict.json", "--project", "{folder}/broken"], "cannot open the GX"),
        (
            ["check", "{folder}/suite.json", "{folder}/rows.csv", "--engine", "spark"],
            "no such engine",
        ),
        (
            ["check", "{folder}/suite.json", "{folder}/rows.csv", "--rules", "none.json"],
            "none.json",
        ),
    ],
)
def test_wrong_usage_exits_2(
    arguments: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 2, the fault and the remedy, and never a traceback."""
    (tmp_path / "suite.json").write_text(json.dumps(to_suite(_SMALL)), "utf-8")
    (tmp_path / "rows.csv").write_text("a,s\n1,x\n", "utf-8")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken/great_expectations.yml").write_text("fluent_datasources: 3", "utf-8")
    _saved(tmp_path, check(GOOD, CONTRACT).verdict)

    code, out, err = run(capsys, *(a.format(folder=tmp_path) for a in arguments))

    assert (code, out) == (2, "")
    assert said in err.replace("\n", "")
    assert "Traceback" not in err


def test_a_verdict_of_before_rules_is_still_read() -> None:
    """Verdicts saved by earlier versions have neither rules nor signature."""
    plain = json.loads(check(GOOD, CONTRACT, Policy()).verdict.to_json())
    del plain["rules"], plain["signature"]

    again = Verdict.from_json(json.dumps(plain))

    assert again.passed
    with pytest.raises(Misuse):
        validation_result(again)
