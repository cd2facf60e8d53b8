"""What is found of the planted faults in a data set, and what is told of its clean batches."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import polars as pl
from data_sets import DATA_SETS, SEED, split
from mlflow.models import infer_signature
from plants import Column, blamed, planted

from signature_gate import Contract, check, learn

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

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
    alarms = [
        [each for each in told(batch, known) if each[0] in LEARNED]
        for batch, known in clean_batches(data_set, halves, contract, clean)
    ]
    rng = np.random.default_rng(SEED)
    trials = list[Trial]()
    # Rows that are drawn again and again would be told for that.
    policy = {"values_of": {"repeated": "ignore"}} if halves.again else {}
    for place in rng.random(batches):
        batch = halves.batch(place, rng)
        for name in batch.columns:
            column = Column(name, batch, halves.learned, rng)
            for plant, faulty in planted(column):
                found = told(faulty, contract, policy)
                kinds = {k for k, c, _ in found if c in blamed(plant, column)}
                trials.append(Trial(plant.name, name, tuple(sorted(kinds))))
    return Proof(data_set, halves, trials, alarms)


def prove_quietly(number: int, batches: int, clean: int) -> Proof:
    """Prove one of the data sets in a process of its own."""
    # MLflow advises doubles for integers, which may arrive null.
    with warnings.catch_warnings(action="ignore"):
        proof = prove(DATA_SETS[number], batches, clean)
    # What loads it does not travel between processes.
    return proof._replace(data_set=proof.data_set._replace(load=pl.DataFrame))


def clean_batches(
    data_set: DataSet, halves: Halves, contract: Contract, count: int
) -> Iterator[tuple[pl.DataFrame, Contract]]:
    """Take batches without a fault, and the contract for each.

    Rows that are drawn again and again are no batch of so many: where there are few, each batch is
    the whole other half of another split; in the order of time, half as many rows as are held out.
    """
    rng = np.random.default_rng(SEED)
    for number, place in enumerate(np.linspace(0, 1, count)):
        if not halves.again:
            yield halves.batch(place, rng), contract
        elif halves.in_time:
            rows = halves.held.height // 2
            yield halves.held.slice(int(place * rows), rows), contract
        else:
            other = split(data_set, SEED + number)
            yield other.held, contract_of(other.learned)


def contract_of(*frames: pl.DataFrame) -> Contract:
    """Infer the contract as a training run does, and learn the values beside it."""
    pandas = pl.concat(frames).to_pandas()
    contract = Contract.from_signature(infer_signature(pandas).to_dict())
    return replace(contract, values=learn(*frames, contract=contract))


def told(
    batch: pl.DataFrame, contract: Contract, policy: Mapping[str, Any] | None = None
) -> list[tuple[str, str, str]]:
    """Judge a batch, and list what is told of its columns."""
    violations = check(batch, contract, policy).verdict.violations
    return [(v.kind, v.column or "", v.statistic or "") for v in violations]
