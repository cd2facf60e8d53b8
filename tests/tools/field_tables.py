"""Tables of a model's fields in Markdown: name, type, default and words, as the code has them."""

from __future__ import annotations

from inspect import getdoc
from typing import TYPE_CHECKING, Any

import yaml
from griffe import Docstring, DocstringSectionKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pydantic import BaseModel

Rows = "Iterable[tuple[str, ...]]"
_IN_WORDS = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "null": "null",
}
# Models whose table stands on a page of their own, beside the others.
_PAGES = {"Policy": "policy.md"}
_NO_DEFAULT = object()


def table(head: tuple[str, ...], rows: Rows) -> str:
    """Write a table; a bar within a cell would end it."""
    lines = [head, ("---",) * len(head), *rows]
    cells = ([cell.replace("|", "\\|").replace("\n", " ") for cell in line] for line in lines)
    return "".join(f"| {' | '.join(line)} |\n" for line in cells)


def settings(model: type[BaseModel]) -> str:
    """Tabulate fields that a user writes: with their defaults."""
    schema = model.model_json_schema()
    required = schema.get("required", ())
    rows = [
        (f"`{name}`", _type(spec), _default(spec, required=name in required), words)
        for name, spec, words in _fields(model, schema)
    ]
    return table(("field", "type", "default", "about"), rows)


def facts(model: type[BaseModel]) -> str:
    """Tabulate fields that a user reads, computed ones included."""
    schema = model.model_json_schema(mode="serialization")
    rows = [(f"`{name}`", _type(spec), words) for name, spec, words in _fields(model, schema)]
    return table(("field", "type", "about"), rows)


def first_line(documented: object) -> str:
    """What a docstring says first, in the quotes of Markdown."""
    return _marked((getdoc(documented) or "").partition("\n\n")[0])


def _fields(
    model: type[BaseModel], schema: Mapping[str, Any]
) -> Iterable[tuple[str, dict[str, Any], str]]:
    attributes = _attributes(model)
    for name, spec in schema["properties"].items():
        words = spec.get("description") or attributes[name]
        yield name, spec, _marked(words)


def _attributes(model: type[BaseModel]) -> dict[str, str]:
    """What the docstrings of a model and of its bases say of their attributes."""
    found: dict[str, str] = {}
    for each in reversed(model.__mro__):
        for section in Docstring(each.__doc__ or "").parse("google", warnings=False):
            if section.kind is DocstringSectionKind.attributes:
                found |= {entry.name: entry.description for entry in section.value}
    return found


def _marked(words: str) -> str:
    text = " ".join(words.replace("``", "`").split())
    return text[:1].upper() + text[1:]


def _type(spec: Mapping[str, Any]) -> str:
    """Say a JSON schema in words."""
    if "$ref" in spec:
        name = spec["$ref"].rpartition("/")[2]
        return f"[{name}]({_PAGES.get(name, '')}#{name.lower()})"
    if "enum" in spec or "const" in spec:
        return ", ".join(_written(value) for value in spec.get("enum", [spec.get("const")]))
    if "anyOf" in spec:
        words = (_type(part) for part in spec["anyOf"] if part.get("type") != "null")
        return " or ".join(dict.fromkeys(words))
    if spec.get("format") == "date-time":
        return "datetime"
    return _container(spec) or f"{_IN_WORDS.get(spec.get('type', ''), 'anything')}{_range(spec)}"


def _container(spec: Mapping[str, Any]) -> str:
    match spec.get("type"):
        case "array" if "prefixItems" in spec:
            return f"({', '.join(_type(item) for item in spec['prefixItems'])})"
        case "array":
            return f"list of {_type(spec['items'])}"
        case "object":
            values = spec.get("additionalProperties")
            return f"mapping to {_type(values) if isinstance(values, dict) else 'anything'}"
    return ""


def _range(spec: Mapping[str, Any]) -> str:
    least, most = spec.get("minimum"), spec.get("maximum")
    if least is not None and most is not None:
        return f" from {least} to {most}"
    if least is not None:
        return f", at least {least}"
    above = spec.get("exclusiveMinimum")
    return f" above {above}" if above is not None else ""


def _default(spec: Mapping[str, Any], *, required: bool) -> str:
    if required:
        return "**required**"
    default = spec.get("default", _NO_DEFAULT)
    if default is None:
        return "none"
    if default is _NO_DEFAULT or isinstance(default, dict):
        return "`{}`" if spec.get("type") == "object" else "as below"
    return _written(default)


def _written(value: Any) -> str:
    """Write a value as in the YAML file, where a bare null would be none."""
    return f"`{yaml.safe_dump(value, default_flow_style=True).partition('...')[0].strip()}`"
