"""Pydantic's report on a document of a user's, in words that lead to the right one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel

from ..similarity import closest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

_LISTS = ("tuple_type", "list_type", "set_type")


def describe_invalid(error: ValidationError, origin: str, model: type[BaseModel]) -> str:
    """List each fault of a document, with the field that was likely meant and those there are."""
    faults = error.errors(include_url=False)
    known = {
        ".".join(map(str, path)): list(fields.model_fields)
        for fault in faults
        for path, fields in _models_along(fault["loc"], model)
    }
    lines = (
        f" - {_name(fault['loc']) or 'as a whole'}: {_words(fault, model)}" for fault in faults
    )
    nested = (f"known fields of {path}: {', '.join(names)}" for path, names in known.items())
    return "\n".join(
        [
            f"{origin} has {len(faults)} invalid field(s):",
            *lines,
            f"known fields: {', '.join(model.model_fields)}",
            *nested,
        ]
    )


def _name(location: Sequence[int | str]) -> str:
    return ".".join(map(str, location))


def _words(fault: ErrorDetails, model: type[BaseModel]) -> str:
    value = fault.get("input")
    if fault["type"] == "extra_forbidden":
        owner = [model, *(fields for _, fields in _models_along(fault["loc"][:-1], model))][-1]
        meant = closest(str(fault["loc"][-1]), list(owner.model_fields))
        return "no such field" + (f"; did you mean {meant}?" if meant else "")
    if fault["type"] in _LISTS and isinstance(value, str | int | float):
        return f"{fault['msg']}: write a list, [{value}]"
    return fault["msg"]


def _models_along(
    location: Sequence[int | str], model: type[BaseModel]
) -> Iterator[tuple[tuple[int | str, ...], type[BaseModel]]]:
    """Name the models that lie within fields along a path, each with the path of its field."""
    for depth, part in enumerate(location):
        field = model.model_fields.get(str(part))
        nested = _nested_model(field.annotation) if field else None
        if nested is None:
            return
        model = nested
        yield tuple(location[: depth + 1]), model


def _nested_model(annotation: Any) -> type[BaseModel] | None:
    candidates = (annotation, *get_args(annotation))
    models = (c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel))
    return next(models, None)
