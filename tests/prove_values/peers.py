"""Monitors of data at their defaults, on the days of flights on which the gate is judged.

Each has an environment of its own, made for the run: none of them installs beside the newest pandas
or with each other.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import polars as pl
from data_sets import SEED
from trials import LEARNED, contract_of, told
from year import HALF, days, draw

from signature_gate import __version__

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_HERE = Path(__file__).parent / "beside"
_UV = Path(__file__).parents[2] / ".uv" / "bin" / "uv"
_QUIET = {"NML_DISABLE_USAGE_LOGGING": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
_CLEAN, _FAULTY = "days.parquet", "faulty.parquet"


class Peer(NamedTuple):
    """A monitor: the script that runs it, and what pip installs for it."""

    script: str
    packages: tuple[str, ...]


PEERS = {
    "Evidently": Peer("evidently_days.py", ("evidently", "pandas<3")),
    "NannyML": Peer("nannyml_days.py", ("nannyml", "statsmodels")),
    "TensorFlow Data Validation": Peer(
        "tfdv_days.py", ("tensorflow-data-validation", "dill", "setuptools<81")
    ),
}


def beside_peers() -> Iterator[str]:
    """Judge all days of 2013 by what was learned of a drawn half-year, and write a table."""
    all_days = days()
    drawn = draw(np.random.default_rng(SEED))[:HALF]
    learned = [all_days[day] for day in drawn]
    faulty = [day.with_columns(pl.col("air_time") * 60) for day in all_days]
    yield "### Monitors of data, at their defaults\n"
    yield (
        "The days of 2013, by what was learned from half a year, weeks of 2013 drawn with "
        f"replacement ({len({day // 7 for day in drawn})} of 52, so that most days are of a week "
        "that was not seen). A day is told when anything of it is. *Minutes as seconds*: the same "
        "days with `air_time` times 60. Evidently takes ten seconds a day, and is given one in "
        "five; the schema that TensorFlow Data Validation infers has no bounds of numbers.\n"
    )
    yield "| | told of | clean days | minutes as seconds |"
    yield "| --- | --- | --- | --- |"
    ours = [_told_by_us(learned, each) for each in (all_days, faulty)]
    yield f"| **signature-gate** {__version__} | any column | {ours[0]} | {ours[1]} |"
    with TemporaryDirectory() as folder:
        home = Path(folder)
        pl.concat(learned).write_parquet(home / "learned.parquet")
        _numbered(all_days).write_parquet(home / _CLEAN)
        _numbered(faulty).write_parquet(home / _FAULTY)
        for name, peer in PEERS.items():
            yield from _rows(name, peer, home)


def _numbered(all_days: Sequence[pl.DataFrame]) -> pl.DataFrame:
    return pl.concat(d.with_columns(day=pl.lit(n, pl.Int32)) for n, d in enumerate(all_days))


def _told_by_us(learned: Sequence[pl.DataFrame], all_days: Sequence[pl.DataFrame]) -> str:
    with warnings.catch_warnings(action="ignore"):
        contract = contract_of(*learned)
        found = [any(kind in LEARNED for kind, *_ in told(day, contract)) for day in all_days]
    return f"{sum(found)} of {len(found)}"


def _rows(name: str, peer: Peer, home: Path) -> Iterator[str]:
    python = _environment(home / peer.script.removesuffix(".py"), peer.packages)
    clean, faulty = (_run(python, peer.script, home, judged) for judged in (_CLEAN, _FAULTY))
    for what, count in clean["told"].items():
        other = faulty["told"][what]
        told_of = f"{count} of {clean['days']} | {other} of {faulty['days']}"
        yield f"| {name} {clean['version']} | {what} | {told_of} |"


def _environment(folder: Path, packages: Sequence[str]) -> Path:
    # By uv, which make has installed: pip looks for versions that fit for an hour.
    subprocess.run([_UV, "venv", "--quiet", "--python", sys.executable, folder], check=True)
    python = folder / "bin" / "python"
    subprocess.run([_UV, "pip", "install", "--quiet", "--python", python, *packages], check=True)
    return python


def _run(python: Path, script: str, home: Path, judged: str) -> dict[str, Any]:
    command = [python, _HERE / script, home, judged]
    done = subprocess.run(
        command, env=os.environ | _QUIET, stdout=subprocess.PIPE, text=True, check=True
    )
    return json.loads(done.stdout.strip().splitlines()[-1])
