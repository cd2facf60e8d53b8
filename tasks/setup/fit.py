"""Fit a policy to a sample: of the proposed changes take those under which it fits better."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import polars as pl

from ...expectations.batch.columns import RESERVED, exact_col
from ...expectations.contract.policy import Policy
from ...expectations.errors import InvalidPolicy
from ...expectations.judge.checking import check
from ...expectations.judge.missing_columns import likely_renames
from ...expectations.readers.open import open_batch
from ...expectations.wording import counted, listed
from .proposals import Proposal, families

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ...expectations.contract.contract import Contract
    from ...expectations.judge.missing_columns import LikelyRename
    from ...expectations.verdict.verdict import Verdict, Violation

# The rows that do not fit are looked at for what they have in common.
_TRIAL = {"on_mismatch": "split", "max_rejected": 1, "sample_rows": 100}
_FILE_FAULTS = ("malformed_row", "unreadable")
_Misfit = tuple[int, ...]


class FittedPolicy(NamedTuple):
    """A policy for a sample.

    Attributes:
        taken: What was set, and why.
        left_open: What may be meant, and why it was not set.
        before: The verdict under the defaults.
        after: The verdict under what was set.
    """

    taken: tuple[Proposal, ...]
    left_open: tuple[Proposal, ...]
    before: Verdict
    after: Verdict


def fit_policy(sample: str, contract: Contract) -> FittedPolicy:
    """Find the policy under which a sample fits a contract best; the sample is only read.

    What would let null or rounded numbers through is never set, and neither is one of two changes
    that fit equally well: these are left open.
    """
    fit = _Fit(sample, contract)
    before = check(sample, contract, Policy()).verdict
    fit.improve()
    fit.take_renames()
    fit.leave_nulls_open()
    fit.sort_extra_columns()
    after = check(sample, contract, Policy.parse(fields_of(fit.taken))).verdict
    return FittedPolicy(tuple(fit.taken), tuple(fit.left_open), before, after)


def fields_of(proposals: Sequence[Proposal]) -> dict[str, Any]:
    """Merge proposals into the fields of one policy; lists and mappings add up."""
    merged = dict[str, Any]()
    for name, value in (item for proposal in proposals for item in proposal.fields.items()):
        *outer, last = name.split(".")
        place = merged.setdefault(outer[0], {}) if outer else merged
        place[last] = _joined(place.get(last), value)
    return merged


def _joined(known: Any, value: Any) -> Any:
    if isinstance(value, dict):
        return {**(known or {}), **value}
    if isinstance(value, list):
        return list(dict.fromkeys([*(known or ()), *value]))
    return value


class _Fit:
    def __init__(self, sample: str, contract: Contract) -> None:
        self.sample, self.contract = sample, contract
        self.taken, self.left_open = list[Proposal](), list[Proposal]()
        self.verdict = self.judge()

    def policy(self, *further: Proposal) -> Policy:
        return Policy.parse(fields_of([*self.taken, *further]) | _TRIAL)

    def judge(self, *further: Proposal) -> Verdict:
        return check(self.sample, self.contract, self.policy(*further)).verdict

    # ----- values and dialects -----

    def improve(self) -> None:
        """Take what helps until nothing does; each step leaves less that does not fit."""
        while any(self._take_best(list(family)) for family in self._families()):
            pass

    def _families(self) -> Iterator[Sequence[Proposal]]:
        for violation in self.verdict.blocking:
            yield from families(violation)

    def _take_best(self, family: list[Proposal]) -> bool:
        open_fields = [proposal.fields for proposal in self.left_open]
        if any(proposal.fields in open_fields for proposal in family):
            return False
        found = [(*self._misfit_under(proposal), proposal) for proposal in family]
        better = [one for one in found if one[0] < misfit(self.verdict)]
        if not better:
            return False
        least = min(key for key, *_ in better)
        fewest = min(len(p.fields) for key, _, p in better if key == least)
        best = [(v, p) for key, v, p in better if key == least and len(p.fields) == fewest]
        if len(best) > 1:
            self.left_open += [p._replace(reason=_ambiguous(p, best)) for _, p in best]
            return False
        [(verdict, proposal)] = best
        helped = sorted(_faulty(self.verdict) - _faulty(verdict))
        where = f", in {listed(map(repr, helped))}" if helped else ""
        self.taken.append(proposal._replace(reason=proposal.reason + where))
        self.verdict = verdict
        return True

    def _misfit_under(self, proposal: Proposal) -> tuple[_Misfit, Verdict]:
        try:
            verdict = self.judge(proposal)
        except InvalidPolicy:
            verdict = self.verdict  # it contradicts what was taken before
        return misfit(verdict), verdict

    # ----- names -----

    def take_renames(self) -> None:
        """Map names that are too close for two columns; leave open the others that are close."""
        missing = [v for v in self.verdict.violations if v.kind == "missing_column" and v.column]
        if not missing:
            return
        for name, rename in self._likely_renames(missing).items():
            reason = f"nearly the name of {name!r}, which did not arrive"
            proposal = Proposal({"rename": {rename.extra[0]: name}}, reason)
            if rename.is_likely and len(rename.extra) == 1 and not rename.rivals:
                self.taken.append(proposal)
            else:
                reason = f"{name!r} did not arrive: {rename.remedy(name, redact=False)}"
                self.left_open.append(proposal._replace(reason=reason))
        self.verdict = self.judge()
        self.improve()

    def _likely_renames(self, missing: Sequence[Violation]) -> dict[str, LikelyRename]:
        names = {violation.column for violation in missing}
        columns = [column for column in self.contract.columns if column.name in names]
        batch = open_batch(self.sample, self.contract, self.policy()).files[0]
        known = {column.name for column in self.contract.columns}
        extra = {f.name: f.type for f in batch.schema if f.name not in known}
        return likely_renames(columns, extra, batch, self.policy())

    # ----- nulls: only who trained the model knows -----

    def leave_nulls_open(self) -> None:
        """Name the required columns that could be nullable; whether they may be is not in data."""
        for violation in (v for v in self.verdict.blocking if v.kind == "null"):
            proposal = Proposal(
                {"nullable": [violation.column]},
                f"null in {counted(violation.count or 0, 'row')}: only if the model takes null",
            )
            if self._misfit_under(proposal)[0] < misfit(self.verdict):
                self.left_open.append(proposal)

    # ----- columns that the model does not know -----

    def sort_extra_columns(self) -> None:
        """Keep the columns that tell rows apart; ignore the others."""
        extra = self._extra_columns()
        if not extra:
            return
        keys = self._keys(extra)
        if keys:
            reason = "no two rows have the same: it finds the row of a prediction again"
            self.taken.append(Proposal({"keep": keys}, reason))
        else:
            reason = "choose those that find the row of a prediction again"
            self.left_open.append(Proposal({"keep": extra}, reason))
        if others := [name for name in extra if name not in keys]:
            reason = f"{counted(len(others), 'more column')}: {listed(map(repr, others))}"
            self.taken.append(Proposal({"extra_columns": "ignore"}, reason))

    def _extra_columns(self) -> list[str]:
        arrived = [name for name, _ in self.verdict.batch.columns]
        renamed = self.policy().rename
        known = {column.name for column in self.contract.columns} | {*renamed, *RESERVED, ""}
        unique = [name for name in arrived if arrived.count(name) == 1]
        return [name for name in unique if name not in known] if self.contract.named else []

    def _keys(self, extra: list[str]) -> list[str]:
        result = check(self.sample, self.contract, self.policy(Proposal({"keep": extra}, "")))
        accepted = result.accepted
        if accepted is None or result.verdict.accepted < 2:  # noqa: PLR2004
            return []
        counts = [exact_col(n).drop_nulls().n_unique().alias(str(i)) for i, n in enumerate(extra)]
        exprs = [*counts, *(_is_measured(n).alias(f"m{i}") for i, n in enumerate(extra))]
        row = accepted.select(exprs).collect().row(0, named=True)
        rows = result.verdict.accepted
        return [n for i, n in enumerate(extra) if row[str(i)] == rows and not row[f"m{i}"]]


def _is_measured(name: str) -> pl.Expr:
    """Say whether a column holds numbers with fractions, which identify nothing."""
    return exact_col(name).cast(pl.String, strict=False).str.contains(r"^-?\d*[.,]\d+$").all()


def misfit(verdict: Verdict) -> _Misfit:
    """Measure how badly a sample fits, in the order in which faults hide others.

    These are: the file, its names, its types, its records, its values, its nulls.
    """
    whole = [v for v in verdict.blocking if v.level == "batch"]
    rows = [v for v in verdict.blocking if v.level == "row"]
    return (
        sum(v.kind in _FILE_FAULTS for v in whole),
        sum(v.kind == "missing_column" for v in whole),
        len(whole),
        sum(v.count or 0 for v in rows if v.kind in _FILE_FAULTS),
        sum(v.count or 0 for v in rows if v.kind not in (*_FILE_FAULTS, "null")),
        sum(v.count or 0 for v in rows if v.kind == "null"),
    )


def _faulty(verdict: Verdict) -> set[str]:
    return {violation.column for violation in verdict.blocking if violation.column}


def _ambiguous(proposal: Proposal, best: Sequence[tuple[Verdict, Proposal]]) -> str:
    others = " or ".join(str(other) for _, other in best if other is not proposal)
    return f"{proposal.reason}; {others} would fit as well"
