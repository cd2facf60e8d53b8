"""One worker for a batch at a time, and what that worker is bound to do."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import PydanticSerializationError

from ...expectations.contract.contract import Contract
from ...expectations.contract.model_version import ModelVersion
from ...expectations.contract.params import param_faults
from ...expectations.contract.policy import Policy
from ...expectations.errors import InvalidFeed, Misuse
from ...expectations.suite import rules_of, values_in_force
from ...expectations.values.past import Baseline
from ...expectations.values.profile import ValueProfile
from ..feed.receipt import version_label
from ..feed.records import read_record
from .atomic import atomic_write

if TYPE_CHECKING:
    from ..feed.feed import Feed


class Intent(BaseModel):
    """What is to be done with a batch, so that whoever finishes a crashed attempt does the same.

    Attributes:
        model: The version that judges and scores, however far its alias has moved since.
        signature: That version's signature.
        policy: The policy in force.
        rules: The user's own rules, as they stood written when the intent was made; None for an
            intent without, whose policy may name a file of them.
        values: What was learned of the values that the model was trained on, if that is judged.
        past: What the feed's batches had so far; whoever finishes a crashed attempt has another.
        params: Inference parameters.
        entry: Folder of the quarantine that is to be released; None if the batch is to be scored.
        starts: How many attempts have begun with it; the batch of a worker that keeps dying is
            taken last.
    """

    # JSON knows neither NaN nor infinity, which params may well be.
    model_config = ConfigDict(
        frozen=True, ser_json_inf_nan="constants", arbitrary_types_allowed=True
    )

    model: ModelVersion
    signature: dict[str, str | None]
    policy: Policy = Field(default_factory=Policy)
    rules: tuple[dict[str, Any], ...] | None = None
    values: ValueProfile | None = None
    past: Baseline | None = Field(default=None, exclude=True, repr=False)
    params: dict[str, Any] = Field(default_factory=dict)
    entry: str | None = None
    starts: int = 1

    @classmethod
    def to_score(cls, feed: Feed, contract: Contract) -> Self:
        """Bind a feed's batches to the version that its model URI means now.

        Raises:
            InvalidFeed: The params are not the model's, or JSON cannot hold them.
            Misuse: The contract belongs to no model, or a rule has no meaning.
            NoContract: The model's params schema cannot be read.
            TableUnavailable: A table of the feed's does not answer.
        """
        for table in filter(None, (feed.scored_table, feed.rejected_table)):
            from .table_appends import reach

            reach(table)
        if contract.model is None:
            msg = f"{feed.model} is a contract without a model; name the model that is to score."
            raise Misuse(msg)
        _refuse_wrong_params(feed, contract)
        intent = cls(
            model=contract.model,
            signature=contract.signature,
            policy=feed.policy,
            rules=tuple(rule.stated for rule in rules_of(contract, feed.policy)),
            values=values_in_force(contract, feed.policy),
            params=feed.params,
        )
        _refuse_unwritable(feed, intent)
        return intent

    @cached_property
    def contract(self) -> Contract:
        """The contract of the pinned version, with the user's own rules and learned values."""
        contract = Contract.from_signature(self.signature, self.model)
        return replace(contract, rules=self.rules or (), values=self.values)

    @property
    def contract_now(self) -> Contract:
        """The same, with what the feed's batches had so far."""
        return replace(self.contract, past=self.past.so_far()) if self.past else self.contract

    @cached_property
    def judged_by(self) -> Policy:
        """The policy without the paths of files, which may say something else by now."""
        stated = {"rules": None, "values_from": None}
        return self.policy.model_copy(update=stated) if self.rules is not None else self.policy

    @property
    def version(self) -> str:
        """What tells the model's versions apart in paths."""
        return version_label(self.model, self.contract.fingerprint)

    @cached_property
    def profile(self) -> str:
        """Sixteen hexadecimal digits that are equal for equal learned values; empty for none."""
        return self.values.fingerprint if self.values else ""

    @property
    def policy_fingerprint(self) -> str:
        """Sixteen hexadecimal digits that are equal for equal policies and rules."""
        rules = json.dumps(self.rules, sort_keys=True) if self.rules else ""
        whole = self.policy.model_dump_json() + rules
        return hashlib.sha256(whole.encode()).hexdigest()[:16]


def bind_intent(feed: Feed, batch: str, intent: Intent) -> Intent:
    """Write down what is to be done with a claimed batch: the intent of a crashed attempt, if any.

    A file in its place that is no intent raises GateError.
    """
    earlier = read_intent(feed, batch)
    binding = earlier.model_copy(update={"starts": earlier.starts + 1}) if earlier else intent
    if (binding.version, binding.profile) == (intent.version, intent.profile):
        binding = binding.model_copy(update={"past": intent.past})
    text = binding.model_dump_json(indent=2)
    if feed.workspace:
        feed.workspace.bind(batch, text)
    # After a power cut that took it nothing was begun.
    atomic_write(feed.intent(batch), text, outlasts=False)
    return binding


def read_intent(feed: Feed, batch: str) -> Intent | None:
    """Read the intent to score a batch that a crashed attempt left behind; GateError if unreadable.

    Whoever asked for a release can ask again: that of a crashed one binds nobody.
    """
    intent = read_record(feed.intent(batch), Intent, "intent")
    return None if intent is None or intent.entry else intent


def _refuse_wrong_params(feed: Feed, contract: Contract) -> None:
    if faults := param_faults(feed.params, contract):
        msg = f"feed {feed.name}: {contract.model} {'; it '.join(faults)}."
        raise InvalidFeed(msg)


def _refuse_unwritable(feed: Feed, intent: Intent) -> None:
    try:
        intent.model_dump_json()
    except (PydanticSerializationError, ValueError) as error:
        msg = (
            f"feed {feed.name}: its params cannot be written down: {error}. Give numbers, text, "
            "lists and mappings, as a YAML file has them."
        )
        raise InvalidFeed(msg) from error
