"""What a user installs: the wheel, and each lock by the pip that ships with Python."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING

import pytest
import yaml
from repository import ROOT

if TYPE_CHECKING:
    from pathlib import Path

DEPLOYMENTS = [
    path.relative_to(ROOT).as_posix()
    for path in sorted((ROOT / "deployments").rglob("*.*"))
    if path.is_file() and path.parent.name in {"deployments", "feeds", "systemd"}
]
DEVELOPERS_TOOLS = ("playwright", "basedpyright", "pytest", "hypothesis", "ruff")
UV = ROOT / ".uv" / "bin" / "uv"
in_a_fresh_environment = pytest.mark.skipif(
    "SIGNATURE_GATE_FRESH" not in os.environ,
    reason="minutes of pip: make fresh runs it",
)


def run(*command: object, cwd: Path = ROOT) -> str:
    """Run a command to its success and return what it printed."""
    parts = [str(part) for part in command]
    done = subprocess.run(parts, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy of the sources so that the checkout gets no build folder."""
    folder = tmp_path_factory.mktemp("wheel")
    sources = folder / "sources"
    files = run("git", "-C", ROOT, "ls-files", "-co", "--exclude-standard").splitlines()
    for name in files:
        if not name.startswith("tests/") and (ROOT / name).is_file():
            (sources / name).parent.mkdir(parents=True, exist_ok=True)
            (sources / name).write_bytes((ROOT / name).read_bytes())
    build = "from setuptools.build_meta import build_wheel; print(build_wheel(%r))"
    run(sys.executable, "-c", build % str(folder), cwd=sources)
    return next(folder.glob("*.whl"))


def test_the_wheel_carries_the_deployment_templates_and_the_schema(wheel: Path) -> None:
    """Whoever installs the package has every file that docs/platform.md copies."""
    names = zipfile.ZipFile(wheel).namelist()
    assert len(DEPLOYMENTS) > 8
    assert {f"signature_gate/{name}" for name in DEPLOYMENTS} <= set(names)
    assert not [name for name in names if "/tests/" in name]


@in_a_fresh_environment
def test_the_worker_lock_is_all_that_a_check_needs(wheel: Path, tmp_path: Path) -> None:
    """By pip as it ships, requirements.lock and the wheel judge a file; no tool of ours comes."""
    run(sys.executable, "-m", "venv", tmp_path / "venv")
    python = tmp_path / "venv" / "bin" / "python"
    pip = (python, "-m", "pip", "--disable-pip-version-check", "--quiet")
    run(*pip, "install", "--require-hashes", "-r", ROOT / "requirements.lock")
    run(*pip, "install", "--no-deps", wheel)
    run(*pip, "check")
    installed = {p["name"] for p in json.loads(run(*pip[:-1], "list", "--format", "json"))}
    assert not installed & set(DEVELOPERS_TOOLS)

    _write_model(tmp_path / "model")
    (tmp_path / "batch.csv").write_text("amount\n1.5\n")
    gate = tmp_path / "venv" / "bin" / "signature-gate"
    assert run(gate, "check", tmp_path / "model", tmp_path / "batch.csv").startswith("passed")


@in_a_fresh_environment
def test_the_pip_that_ships_with_python_takes_the_developers_lock(tmp_path: Path) -> None:
    """Pins of packages with extras keep them: older pips refuse them without."""
    run(sys.executable, "-m", "venv", tmp_path / "venv")
    pip = (tmp_path / "venv" / "bin" / "python", "-m", "pip", "--disable-pip-version-check")
    run(
        *pip, "install", "-q", "--dry-run", "--require-hashes", "-r", ROOT / "requirements-dev.lock"
    )


@in_a_fresh_environment
@pytest.mark.skipif(not UV.exists(), reason="make installs uv; it is not there")
@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13"])
def test_the_worker_lock_holds_for_each_python_that_is_named(version: str, tmp_path: Path) -> None:
    """Each Python of the classifiers finds a wheel for each pin."""
    assert f"Programming Language :: Python :: {version}" in (ROOT / "pyproject.toml").read_text()
    out = tmp_path / "resolved"
    only_wheels = ("--only-binary", ":all:", "--python-version", version, "--quiet")
    run(UV, "pip", "compile", ROOT / "requirements.lock", *only_wheels, "--output-file", out)
    assert "prefect==" in out.read_text()


def _write_model(folder: Path) -> None:
    inputs = json.dumps([{"type": "double", "name": "amount", "required": True}])
    signature = {"inputs": inputs, "outputs": None, "params": None}
    folder.mkdir()
    text = {"flavors": {"python_function": {"loader_module": "x"}}, "signature": signature}
    (folder / "MLmodel").write_text(yaml.safe_dump(text))
