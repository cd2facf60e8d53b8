"""What was measured, as the tables of docs/values.md between its two marks."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from plants import PLANTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from trials import Proof, Trial

_END = "<!-- end -->"
_LEARNED = {"value", "shift"}
_MOST_MISSED = 60


def write(page: Path, lines: Iterable[str], by: str = "make prove-values") -> None:
    """Put lines between the mark of a command on the page and the next end; the rest stays."""
    mark = f"<!-- made by {by} -->"
    before, rest = page.read_text("utf-8").split(mark)
    after = rest.partition(_END)[2]
    inside = "\n".join(lines).strip()
    page.write_text(f"{before}{mark}\n\n{inside}\n\n{_END}{after}", "utf-8")


def tables(proofs: Sequence[Proof], batches: int, clean: int) -> Iterator[str]:
    """Write what came out for the data sets."""
    trials = [trial for proof in proofs for trial in proof.trials]
    alarms = [told for proof in proofs for told in proof.alarms]
    yield "### Faults in real data\n"
    yield (
        f"Found: **{_share([bool(t.kinds) for t in trials])}**, of which "
        f"{_share([bool(_LEARNED & {*t.kinds}) for t in trials])} by what was learned; the others "
        "break the signature, such as nulls in a column that had none. Clean batches with any "
        f"`value` or `shift`: **{_share([bool(told) for told in alarms])}**.\n"
    )
    yield (
        "Half of each data set is learned from (*time*: alternate weeks; else a random half), "
        f"batches come from the other: {batches} of 1,000 rows for each fault and column, {clean} "
        "clean ones. Where fewer than 1,000 rows are held out (*), faulty batches are drawn with "
        "repeats, and a clean batch is the other half of another random split, without repeats "
        "(by time: half of the held-out rows in succession). Contracts are inferred by MLflow, the "
        "policy is the default.\n"
    )
    yield from _by_data_set(proofs)
    yield from _by_fault(trials)
    yield from _misses(proofs)


def _share(hits: Sequence[bool]) -> str:
    share = sum(hits) / max(len(hits), 1)
    return f"{share:.1%} ({sum(hits):,} of {len(hits):,})".replace("%", " %")


def _by_data_set(proofs: Sequence[Proof]) -> Iterator[str]:
    names = [plant.name for plant in PLANTS]
    yield f"| data set | rows learned | clean told | found | {' | '.join(names)} |"
    yield "| --- " * (4 + len(names)) + "|"
    for proof in proofs:
        halves, found = proof.halves, _counted(proof.trials)
        how = "*" * halves.again + ", time" * halves.in_time
        total = [sum(pair) for pair in zip((0, 0), *found.values(), strict=True)]
        cells = [f"{found[name][0]}/{found[name][1]}" if name in found else "" for name in names]
        told = sum(bool(each) for each in proof.alarms)
        yield (
            f"| {proof.data_set.name} ({proof.data_set.package}{how}) | {halves.learned.height:,} "
            f"| {told}/{len(proof.alarms)} | {total[0]}/{total[1]} | {' | '.join(cells)} |"
        )


def _counted(trials: Sequence[Trial]) -> dict[str, tuple[int, int]]:
    found = dict[str, tuple[int, int]]()
    for trial in trials:
        hits, of = found.get(trial.plant, (0, 0))
        found[trial.plant] = hits + bool(trial.kinds), of + 1
    return found


def _by_fault(trials: Sequence[Trial]) -> Iterator[str]:
    found = _counted(trials)
    yield "\n| fault | what is done | where it fits | found |"
    yield "| --- | --- | --- | --- |"
    for plant in PLANTS:
        hits, of = found.get(plant.name, (0, 0))
        share = f"{hits / max(of, 1):.1%}".replace("%", " %")
        yield f"| {plant.name} | {plant.does} | {plant.fits} | {share} ({hits} of {of}) |"


def _misses(proofs: Sequence[Proof]) -> Iterator[str]:
    missed = [
        (trial.plant, proof.data_set.name, trial.column)
        for proof in proofs
        for trial in proof.trials
        if not trial.kinds
    ]
    yield "\nMissed, with the number of batches:\n"
    for plant in PLANTS:
        where = Counter((name, column) for each, name, column in missed if each == plant.name)
        if where:
            places = [f"{name} `{column}` {n}" for (name, column), n in where.most_common()]
            more = f" and {len(places) - _MOST_MISSED} more" if len(places) > _MOST_MISSED else ""
            yield f"- {plant.name}: {', '.join(places[:_MOST_MISSED])}{more}"
    told = Counter(
        (proof.data_set.name, column, name)
        for proof in proofs
        for batch in proof.alarms
        for _, column, name in batch
    )
    if told:
        places = [f"{name} `{column}` {what} {n}" for (name, column, what), n in told.most_common()]
        yield f"- Told of clean batches: {', '.join(places[:_MOST_MISSED])}"
