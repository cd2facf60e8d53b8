"""What is found of the planted faults in a data set, and what is told of its clean batches."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from data_sets import SEED, split
from mlflow.models import infer_signature
from plants import Column, blamed, planted

from signature_gate import Contract, check, learn

if TYPE_CHECKING:
    import polars as pl
    from data_sets import DataSet, Halves

LEARNED = ("value", "shift")


class Trial(NamedTuple):
    """A fault in a column of a batch, and whether it was found.

    Attributes:
        plant: Name of the fault.
        column: The column that had it.
        kinds: The kinds of violations that named it; empty where it was missed.
    """

    plant: str
    column: str
    kinds: tuple[str, ...]


class Proof(NamedTuple):
    """What came out for a data set.

    Attributes:
        data_set: Which one.
        halves: Its rows.
        trials: The faults.
        alarms: For each clean batch, what was told of it: kind, column and statistic.
    """

    data_set: DataSet
    halves: Halves
    trials: list[Trial]
    alarms: list[list[tuple[str, str, str]]]


def prove(data_set: DataSet, batches: int, clean: int) -> Proof:
    """Learn from one half, and judge batches of the other with and without faults."""
    halves = split(data_set)
    contract = contract_of(halves.learned)
    rng = np.random.default_rng(SEED)
    alarms = [
        [(kind, column, name) for kind, column, name in told(halves.batch(place, rng), contract)]
        for place in np.linspace(0, 1, clean)
    ]
    trials = list[Trial]()
    for place in rng.random(batches):
        batch = halves.batch(place, rng)
        for name in batch.columns:
            column = Column(name, batch, halves.learned, rng)
            for plant, faulty in planted(column):
                kinds = {k for k, c, _ in told(faulty, contract) if c in blamed(plant, column)}
                trials.append(Trial(plant.name, name, tuple(sorted(kinds))))
    return Proof(data_set, halves, trials, alarms)


def contract_of(frame: pl.DataFrame) -> Contract:
    """Infer the contract as a training run does, and learn the values beside it."""
    pandas = frame.to_pandas()
    contract = Contract.from_signature(infer_signature(pandas).to_dict())
    return replace(contract, values=learn(frame, contract=contract))


def told(batch: pl.DataFrame, contract: Contract) -> list[tuple[str, str, str]]:
    """Judge a batch, and list what is told of its columns."""
    violations = check(batch, contract).verdict.violations
    return [(v.kind, v.column or "", v.statistic or "") for v in violations]
