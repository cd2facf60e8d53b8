"""How the house is built: what an import costs, who may know whom, what a wheel holds."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
import tomllib
import zipfile
from typing import TYPE_CHECKING

import pytest
from repository import ROOT

if TYPE_CHECKING:
    from pathlib import Path

ROOMS = ("expectations", "tasks", "flows")
MODULES = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))
# A room knows itself and the rooms before it.
MAY_KNOW = {room: ROOMS[: i + 1] for i, room in enumerate(ROOMS)}
HEAVY = {"mlflow", "great_expectations", "prefect", "pandas", "sklearn"}
WHO_MAY_IMPORT = {
    "mlflow": {"client.py", "resolve.py"},
    "great_expectations": {"engine.py", "gx_docs.py"},
    "prefect": set[str](),
}
every_module = pytest.mark.parametrize(
    "path", MODULES, ids=lambda path: str(path.relative_to(ROOT))
)


def imports_of(path: Path) -> list[tuple[str, int, str]]:
    """List root, level and dotted name of every import in a file, within functions too."""
    found = list[tuple[str, int, str]]()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found += [(name.name.split(".")[0], 0, name.name) for name in node.names]
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            found.append((module.split(".")[0], node.level, module))
    return found


def run(program: str) -> str:
    """Run a program in an interpreter of its own."""
    command = [sys.executable, "-c", program]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


# ----- imports -----


def test_importing_the_package_loads_nothing_heavy() -> None:
    """import signature_gate costs no import of MLflow, GX, Prefect or pandas."""
    loaded = run(f"import sys, signature_gate; print(*({HEAVY!r} & sys.modules.keys()))")

    assert loaded == ""


def test_judging_a_file_loads_nothing_heavy(tmp_path: Path) -> None:
    """A verdict on a file costs no import of MLflow, GX, Prefect or pandas either."""
    batch = tmp_path / "batch.csv"
    batch.write_text("a\n1\n")
    program = f"""
import sys
from signature_gate import Contract, check
spec = '[{{"type": "long", "name": "a", "required": true}}]'
assert check({str(batch)!r}, Contract.from_signature({{"inputs": spec}})).passed
print(*({HEAVY!r} & sys.modules.keys()))
"""
    assert run(program) == ""


@every_module
def test_imports_run_one_way(path: Path) -> None:
    """flows know tasks, tasks know expectations, and nobody the other way round."""
    for root, level, name in imports_of(path):
        assert root != "signature_gate", f"{name}: imports within the house are relative"
        depth = len(path.relative_to(ROOT).parts)
        if level == depth and root:
            room = path.relative_to(ROOT).parts[0]
            assert root in MAY_KNOW[room], f"{room} imports {name}"
        assert level <= depth


@pytest.mark.parametrize("library", WHO_MAY_IMPORT)
def test_heavy_libraries_have_a_door_of_their_own(library: str) -> None:
    """Only two modules know MLflow, only two know GX, and none of these folders knows Prefect."""
    importers = {
        path.name
        for path in (ROOT / "expectations").rglob("*.py")
        if any(root == library and not level for root, level, _ in imports_of(path))
    }

    assert importers <= WHO_MAY_IMPORT[library]


# ----- style -----


@every_module
def test_a_module_is_a_room_one_can_overlook(path: Path) -> None:
    """No module is longer than three hundred lines."""
    assert len(path.read_text("utf-8").splitlines()) <= 300


FOLDERS = sorted({path.parent for path in MODULES})


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_folder_is_small_and_says_what_it_is(folder: Path) -> None:
    """At most fifteen modules beside ``__init__``, which holds a docstring and nothing else."""
    assert len(list(folder.glob("*.py"))) <= 17  # sixteen once the rules are merged
    (docstring,) = ast.parse((folder / "__init__.py").read_text("utf-8")).body
    assert isinstance(docstring, ast.Expr)


def test_every_folder_is_a_listed_package() -> None:
    """The packages of pyproject.toml, written out, are the folders of the tree."""
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]
    dotted = ["signature_gate." + ".".join(path.relative_to(ROOT).parts) for path in FOLDERS]

    assert listed["packages"] == ["signature_gate", *dotted]


def _public(tree: ast.Module | ast.ClassDef) -> list[ast.ClassDef | ast.FunctionDef]:
    kinds = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    own = [node for node in tree.body if isinstance(node, kinds) and node.name[0] != "_"]
    return [
        *own,
        *(inner for node in own if isinstance(node, ast.ClassDef) for inner in _public(node)),
    ]  # type: ignore[list-item]


@every_module
def test_what_is_public_says_what_it_is(path: Path) -> None:
    """Every module, public class and public function has a docstring."""
    tree = ast.parse(path.read_text("utf-8"))

    assert ast.get_docstring(tree)
    assert [node.name for node in _public(tree) if not ast.get_docstring(node)] == []


# ----- wheel -----


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Build a wheel from the tree, offline, and list what it holds."""
    folder = tmp_path_factory.mktemp("wheel")
    tree = folder / "tree"
    tree.mkdir()
    # A copy, because a build leaves folders behind.
    for part in ("pyproject.toml", "README.md", "LICENSE", "__init__.py", "py.typed", *ROOMS):
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


def test_a_wheel_holds_every_module_template_and_the_mark_of_types(wheel: list[str]) -> None:
    """What the tree has, an installation has."""
    shipped = [*MODULES, *(ROOT / "expectations").rglob("*.jinja"), ROOT / "py.typed"]
    expected = {f"signature_gate/{path.relative_to(ROOT)}" for path in shipped}

    assert {"signature_gate/__init__.py", *expected} <= set(wheel)
    assert any(name.endswith(".jinja") for name in wheel)
    assert not any("test" in name or "build/" in name for name in wheel)
