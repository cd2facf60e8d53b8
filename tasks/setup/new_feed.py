"""Write the file of a new feed, with the reason of each choice as a comment, and make its inbox."""

from __future__ import annotations

import json
from importlib.resources import files
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

import yaml
from jinja2 import Environment, StrictUndefined

from ...expectations.errors import InvalidFeed, Misuse
from ...expectations.escaping import for_terminal
from ...expectations.wording import counted
from ..feed.feed import Feed
from ..feed.feed_files import load_feeds
from .fit import fields_of
from .proposals import in_yaml

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from ...expectations.contract.contract import Contract
    from .fit import FittedPolicy
    from .proposals import Proposal

_SCHEMA = "feed.schema.json"
_DIALECT = "https://json-schema.org/draft/2020-12/schema"


class NewFeed(NamedTuple):
    """What a feed's file says beside its policy; ``inbox`` is None for the one below its root."""

    name: str
    model: str
    schedule: str
    timezone: str
    inbox: Path | None = None


def write_feed(
    new: NewFeed, folder: Path, contract: Contract, fitted: FittedPolicy | None
) -> tuple[Path, Feed]:
    """Write ``folder/NAME.yaml`` and make the feed's inbox; no file is overwritten.

    Misuse is raised if there is such a file, InvalidFeed if a field cannot be meant or another feed
    in the folder has this name or one of its folders.
    """
    path = folder / f"{new.name}.yaml"
    text = _rendered(new, contract, fitted)
    Feed.parse(yaml.safe_load(text), str(path))
    folder.mkdir(parents=True, exist_ok=True)
    _write_new(path, text)
    try:
        [feed] = load_feeds([path]).values()
    except InvalidFeed:
        path.unlink()  # ours, and a moment old
        raise
    feed.inbox.mkdir(parents=True, exist_ok=True)
    if not (folder / _SCHEMA).exists():
        _write_new(folder / _SCHEMA, feed_schema())
    return path, feed


def feed_schema() -> str:
    """Make the JSON schema of feed files, by which editors validate, from the models."""
    return json.dumps({"$schema": _DIALECT, **Feed.model_json_schema()}, indent=2) + "\n"


def _write_new(path: Path, text: str) -> None:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        msg = f"{path} exists and is not overwritten. Name another feed, or edit the file."
        raise Misuse(msg) from error


def _rendered(new: NewFeed, contract: Contract, fitted: FittedPolicy | None) -> str:
    template = (files(__package__ or "") / "feed.yaml.jinja").read_text("utf-8")
    environment = Environment(undefined=StrictUndefined, keep_trailing_newline=True)  # noqa: S701
    return environment.from_string(template).render(
        name=in_yaml(new.name),
        model=in_yaml(new.model),
        model_note=_about(new.model, contract),
        inbox=in_yaml(str(new.inbox.absolute())) if new.inbox else None,
        schedule=in_yaml(new.schedule),
        timezone=in_yaml(new.timezone),
        policy=list(policy_lines(fitted.taken, fitted.left_open)) if fitted else [],
    )


def _about(model: str, contract: Contract) -> str:
    required = sum(column.required for column in contract.columns)
    columns = f"{counted(len(contract.columns), 'input')}, {required} of them required"
    moves = "the alias decides at each run which version scores"
    stays = "this version scores until the line is changed; an alias would move by itself"
    return f"{columns}; {moves if '@' in model else stays}."


# ----- the policy, field by field -----


def policy_lines(taken: Sequence[Proposal], left_open: Sequence[Proposal]) -> Iterator[str]:
    """Write each field under its reasons; what is left open is a comment, ready to be used."""
    lines = [*_set_lines(taken), *_open_lines(left_open)]
    for outer, group in groupby(sorted(lines, key=lambda line: line[0]), key=lambda line: line[0]):
        entries = [entry for _, *entries in group for entry in entries]
        if not outer:
            yield from entries
            continue
        is_set = any(not entry.startswith("#") for entry in entries)
        yield f"{outer}:" if is_set else f"# {outer}:"
        yield from (f"  {entry}" if is_set else f"#   {entry[2:]}" for entry in entries)


def _set_lines(taken: Sequence[Proposal]) -> Iterator[tuple[str, ...]]:
    fields = fields_of(taken)
    for name in dict.fromkeys(name for proposal in taken for name in proposal.fields):
        outer, _, last = name.rpartition(".")
        value = fields[outer][last] if outer else fields[last]
        reasons = dict.fromkeys(p.reason for p in taken if name in p.fields)
        yield (outer, *map(_comment, reasons), f"{last}: {in_yaml(value)}")


def _open_lines(left_open: Sequence[Proposal]) -> Iterator[tuple[str, ...]]:
    for proposal in left_open:
        for name, value in proposal.fields.items():
            outer, _, last = name.rpartition(".")
            reason = _comment(f"left open: {proposal.reason}")
            yield (outer, reason, f"# {last}: {in_yaml(value)}")


def _comment(reason: str) -> str:
    return f"# {for_terminal(reason)}"
