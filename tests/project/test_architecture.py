"""How the project is built: its limits, which module imports which, what a wheel holds.

The direction of imports between folders is held by ``lint-imports``, as pyproject.toml has it.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections import Counter
from functools import cache
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING

import grimp
import polars as pl
import pytest
from repository import ROOT

import signature_gate
from signature_gate import Contract
from signature_gate.expectations.suite import to_suite

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_Function = ast.FunctionDef | ast.AsyncFunctionDef
TOP_FOLDERS = ("expectations", "tasks", "flows")
MODULES = sorted(path for folder in TOP_FOLDERS for path in (ROOT / folder).rglob("*.py"))
FOLDERS = sorted({path.parent for path in MODULES})
TOP = ("__init__.py", "__main__.py", "lazy.py", "spark.py")
# Users import from these and from the package itself; every other __init__ is a docstring.
FACES = {ROOT / "tasks", ROOT / "flows"}
PUBLIC = ("signature_gate", "signature_gate.tasks", "signature_gate.flows")
HEAVY = {"mlflow", "great_expectations", "prefect", "pandas", "sklearn"}
# What a verdict on a CSV file needs not.
OTHER_READERS = {
    f"signature_gate.expectations.readers.{name}"
    for name in ("arrow_ipc", "parquet", "json_lines", "sql.spool", "sql.engines")
}
# And what one without learned values and rejected rows does not.
UNUSED = {
    f"signature_gate.expectations.{name}"
    for name in ("values.limits", "judge.learned.stage", "judge.causes")
}

# Each library that costs seconds or runs code of others, and who imports it: a module, or a folder
# that ends in a dot.
IMPORTERS = {
    "great_expectations": ["expectations.gx.engine"],
    "mlflow": [
        "expectations.registry.client",
        "expectations.registry.connection",
        "expectations.registry.resolve",
        "expectations.registry.training_data",
        "expectations.registry.values",
        "tasks.scoring.mlflow_runs",
        "flows.demo.",
    ],
    "prefect": [
        "tasks.prefect_tasks.",
        "tasks.alerts.automations",
        "tasks.alerts.server_blocks",
        "flows.cli.prefect_server",
        "flows.deploying",
        "flows.gating",
        "flows.releasing",
        "flows.scoring",
        "flows.watching",
    ],
    "cloudpickle": ["expectations.fan_out.call"],
    "distributed": ["expectations.fan_out.on_dask"],
    "ray": ["expectations.fan_out.on_ray"],
    "obstore": ["expectations.stores.objects"],
    "apprise": ["tasks.alerts.notifier"],
    "deltalake": [
        "expectations.readers.tables.delta",
        "tasks.storage.table_appends",
    ],
    "pyiceberg": ["expectations.readers.tables.iceberg", "tasks.storage.iceberg_append"],
    "pyspark": ["expectations.spark."],
    "jinja2": ["expectations.report.templating", "tasks.setup.new_feed"],
    "open_data_contract_standard": ["expectations.standards.odcs"],
    "openlineage": ["tasks.storage.lineage"],
    "sklearn": ["flows.demo.flights"],
    "adbc_driver_postgresql": ["expectations.readers.sql.engines", "tasks.storage.table_appends"],
    "duckdb": ["expectations.readers.sql.engines", "tasks.storage.table_appends"],
}
# The only imports that run upwards, and so close a cycle.
UPWARDS = [
    ("expectations.contract.contract", "expectations.registry.client"),
    ("expectations.judge.result", "expectations.report.batch_report"),
    ("expectations.values.profile", "expectations.registry.values"),
    ("expectations.verdict.verdict", "expectations.report.batch_report"),
]
MAX_FUNCTION = 40


def relative(path: Path) -> str:
    """Name a file by its path in the repository."""
    return str(path.relative_to(ROOT))


@cache
def parsed(path: Path) -> ast.Module:
    """Parse a module."""
    return ast.parse(path.read_text("utf-8"))


def run(program: str) -> str:
    """Run a program in an interpreter of its own."""
    command = [sys.executable, "-c", program]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


# ----- imports -----


@pytest.fixture(scope="module")
def imports() -> grimp.ImportGraph:
    """All imports, those in functions and under TYPE_CHECKING included."""
    return grimp.build_graph("signature_gate", include_external_packages=True, cache_dir=None)


def test_importing_the_package_loads_nothing_heavy() -> None:
    """Importing any of the three faces loads no library but the standard one, and little of it."""
    heavy = HEAVY | {"polars", "pyarrow", "pydantic", "yaml", "importlib.metadata"}
    loaded = run(f"import sys, {', '.join(PUBLIC)}; print(*({heavy!r} & sys.modules.keys()))")

    assert loaded == ""


def test_the_help_of_the_command_loads_typer_and_little_else() -> None:
    """No command is imported further than its options before it runs."""
    heavy = HEAVY | {"numpy", "polars", "pyarrow", "pydantic", "yaml", "filelock", "stamina"}
    program = (
        "import sys; from signature_gate.flows.cli.main import main\nsys.argv[1:] = ['--help']\n"
        f"try: main()\nfinally: print('loaded', *({heavy!r} & sys.modules.keys()))"
    )
    assert run(program).endswith("loaded")


@pytest.mark.parametrize("face", PUBLIC)
def test_a_face_offers_what_it_says(face: str) -> None:
    """Every name of the sorted ``__all__`` is there, with a docstring; others are not."""
    module = importlib.import_module(face)

    assert module.__all__ == sorted(module.__all__)
    for name in module.__all__:
        assert inspect.getdoc(getattr(module, name))
    with pytest.raises(AttributeError, match="no_such_name"):
        module.no_such_name  # noqa: B018


def test_the_package_runs_as_a_module() -> None:
    """python -m signature_gate is the command."""
    command = [sys.executable, "-m", "signature_gate", "--version"]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)

    assert answer.stdout.strip() == signature_gate.__version__


def test_judging_a_file_loads_nothing_heavy(tmp_path: Path) -> None:
    """A verdict on a file imports neither MLflow, GX, Prefect, pandas nor other readers."""
    batch = tmp_path / "batch.csv"
    batch.write_text("a\n1\n")
    program = f"""
import sys
from signature_gate import Contract, check
spec = '[{{"type": "long", "name": "a", "required": true}}]'
assert check({str(batch)!r}, Contract.from_signature({{"inputs": spec}})).passed
print(*({HEAVY | OTHER_READERS | UNUSED | {"pyarrow.compute"}!r} & sys.modules.keys()))
"""
    assert run(program) == ""


def test_a_check_by_the_command_loads_only_what_it_uses(tmp_path: Path) -> None:
    """A suite and a file need neither YAML, locks, retries, plugins nor many looks for garbage."""
    batch, suite = tmp_path / "batch.parquet", tmp_path / "suite.json"
    pl.DataFrame({"a": [1]}).write_parquet(batch)
    inputs = '[{"type": "long", "name": "a", "required": true}]'
    suite.write_text(json.dumps(to_suite(Contract.from_signature({"inputs": inputs}))))
    needless = {"yaml", "filelock", "stamina", "rapidfuzz", "rich.progress", "urllib.request"}
    needless |= {"packaging", "pyarrow.compute"} | HEAVY
    program = (
        "import sys; from signature_gate.flows.cli.main import main\n"
        f"sys.argv[1:] = ['check', {str(suite)!r}, {str(batch)!r}]\n"
        "try: main()\nexcept SystemExit: pass\n"
        "import gc; from pydantic.plugin import _loader\n"
        f"print(*({needless!r} & sys.modules.keys()), _loader._plugins, gc.get_threshold())"
    )
    assert run(program).splitlines()[-1] == "None (50000, 10, 10)"


def test_a_list_of_the_quarantine_loads_no_engine() -> None:
    """Neither NumPy nor Polars is imported to list what lies in quarantine."""
    heavy = HEAVY | {"numpy", "polars", "pyarrow", "rapidfuzz"}
    modules = "signature_gate.flows.cli.main, signature_gate.tasks.quarantine.entries"

    assert run(f"import sys, {modules}; print(*({heavy!r} & sys.modules.keys()))") == ""


def test_imports_of_the_package_are_relative() -> None:
    """No module names its own package, so that the tree can be vendored or renamed."""
    absolute = [
        relative(path)
        for path in MODULES
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.ImportFrom)
        and not node.level
        and (node.module or "").split(".")[0] == "signature_gate"
    ]

    assert absolute == []


def test_modules_import_each_other_in_no_circle(imports: grimp.ImportGraph) -> None:
    """Without the imports that are listed as running upwards, no chain of imports is closed."""
    arrows = {name: imports.find_modules_directly_imported_by(name) for name in imports.modules}
    for importer, imported in UPWARDS:
        arrows[f"signature_gate.{importer}"].remove(f"signature_gate.{imported}")

    TopologicalSorter(arrows).prepare()


@pytest.mark.parametrize("library", IMPORTERS)
def test_few_modules_import_a_heavy_library(library: str, imports: grimp.ImportGraph) -> None:
    """Only modules of the table import the library, and each of them does."""
    importers = {
        name.removeprefix("signature_gate.")
        for name in imports.find_modules_that_directly_import(library)
    }
    allowed = IMPORTERS[library]

    assert {name for name in importers if not any(map(name.startswith, allowed))} == set()
    assert [each for each in allowed if not any(name.startswith(each) for name in importers)] == []


# ----- size and shape -----


def test_a_module_is_short_enough_to_read_at_once() -> None:
    """No module is longer than three hundred lines."""
    lines = {relative(path): len(path.read_text("utf-8").splitlines()) for path in MODULES}

    assert {name: count for name, count in lines.items() if count > 300} == {}


def _functions(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(parsed(path)):
        if isinstance(node, _Function):
            yield f"{path.stem}.{node.name}", (node.end_lineno or 0) - node.lineno + 1


def test_a_function_fits_a_screen() -> None:
    """No function is longer than forty lines."""
    functions = (each for path in MODULES for each in _functions(path))

    assert {name for name, count in functions if count > MAX_FUNCTION} == set()


def test_a_folder_holds_few_modules() -> None:
    """At most fifteen beside ``__init__``, in the tests too."""
    modules = Counter(
        relative(path.parent)
        for path in [*MODULES, *(ROOT / "tests").rglob("*.py")]
        if path.name != "__init__.py"
    )

    assert {folder: count for folder, count in modules.items() if count > 15} == {}


def test_a_folder_says_what_it_is_and_passes_nothing_on() -> None:
    """Its ``__init__`` is a docstring; only the faces for users hold more."""
    bodies = {folder: parsed(folder / "__init__.py") for folder in FOLDERS}
    longer = {folder for folder, body in bodies.items() if len(body.body) > 1}

    assert [relative(folder) for folder in FOLDERS if not ast.get_docstring(bodies[folder])] == []
    assert longer <= FACES


def test_every_folder_is_a_listed_package() -> None:
    """The packages of pyproject.toml, written out, are the folders of the tree."""
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]
    dotted = [f"signature_gate.{relative(path).replace('/', '.')}" for path in FOLDERS]

    assert listed["packages"] == ["signature_gate", *dotted]


def _public(tree: ast.Module | ast.ClassDef) -> Iterator[ast.ClassDef | _Function]:
    for node in tree.body:
        if isinstance(node, ast.ClassDef | _Function) and not node.name.startswith("_"):
            yield node
            if isinstance(node, ast.ClassDef):
                yield from _public(node)


def test_what_is_public_has_a_docstring() -> None:
    """Every module, public class and public function says what it is."""
    silent = [relative(path) for path in MODULES if not ast.get_docstring(parsed(path))]
    silent += [
        f"{relative(path)}:{node.name}"
        for path in MODULES
        for node in _public(parsed(path))
        if not ast.get_docstring(node)
    ]

    assert silent == []


# ----- wheel -----


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Build a wheel from the tree, offline, and list what it holds."""
    folder = tmp_path_factory.mktemp("wheel")
    tree = folder / "tree"
    tree.mkdir()
    # A copy, because a build leaves folders behind.
    for part in ("pyproject.toml", "README.md", "LICENSE", *TOP, "py.typed", *TOP_FOLDERS):
        _copy(ROOT / part, tree / part)
    program = f"import setuptools.build_meta as b; print(b.build_wheel({str(folder)!r}))"
    subprocess.run([sys.executable, "-c", program], cwd=tree, capture_output=True, check=True)
    (built,) = folder.glob("*.whl")
    return zipfile.ZipFile(built).namelist()


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy(source, target)


def test_a_wheel_is_one_package(wheel: list[str]) -> None:
    """Beside its metadata a wheel holds the package signature_gate and nothing else."""
    tops = {name.split("/")[0] for name in wheel}

    assert {top for top in tops if not top.endswith(".dist-info")} == {"signature_gate"}


def test_a_wheel_holds_every_module_template_and_py_typed(wheel: list[str]) -> None:
    """An installation has all files of the tree."""
    templates = (ROOT / "expectations").rglob("*.jinja")
    shipped = [*(ROOT / name for name in (*TOP, "py.typed")), *MODULES, *templates]
    expected = {f"signature_gate/{path.relative_to(ROOT)}" for path in shipped}

    assert expected <= set(wheel)
    assert any(name.endswith(".jinja") for name in wheel)
    assert not any("test" in name or "build/" in name for name in wheel)
