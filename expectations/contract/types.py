"""The types that an MLflow signature knows, and the one table of what conforms to which.

The types mirror ``mlflow.types`` (``DataType``, ``Array``, ``Object``, ``Map``, ``AnyType``,
``SparkMLVector``) without importing it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

ScalarName = Literal[
    "boolean", "integer", "long", "float", "double", "string", "binary", "datetime"
]
SCALARS: tuple[ScalarName, ...] = get_args(ScalarName)


@dataclass(frozen=True)
class Scalar:
    """One of MLflow's eight ``DataType`` values."""

    name: ScalarName

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Array:
    """A list of elements of one type."""

    items: Type

    def __str__(self) -> str:
        return f"array<{self.items}>"


@dataclass(frozen=True)
class Property:
    """A field of an object."""

    name: str
    type: Type
    required: bool


@dataclass(frozen=True)
class Object:
    """A record with named fields."""

    properties: tuple[Property, ...]

    def __str__(self) -> str:
        fields = (f"{p.name}{'' if p.required else '?'}: {p.type}" for p in self.properties)
        return f"object<{', '.join(fields)}>"


@dataclass(frozen=True)
class Map:
    """Text keys to values of one type."""

    values: Type

    def __str__(self) -> str:
        return f"map<{self.values}>"


@dataclass(frozen=True)
class Anything:
    """MLflow's ``AnyType``: every value conforms."""

    def __str__(self) -> str:
        return "any"


@dataclass(frozen=True)
class Vector:
    """MLflow's ``SparkMLVector``: a list of doubles."""

    def __str__(self) -> str:
        return "sparkml_vector"


@dataclass(frozen=True)
class Tensor:
    """MLflow's ``TensorSpec``: a numpy dtype, and a shape in which -1 leaves a dimension open."""

    dtype: str
    shape: tuple[int, ...]

    def __str__(self) -> str:
        return f"tensor<{self.dtype}>{self.shape}"


Type = Scalar | Array | Object | Map | Anything | Vector | Tensor


def parse_type(spec: dict[str, Any]) -> Type:
    """Read a column, property, ``items`` or ``values`` entry, as ``Schema.to_json`` writes it.

    A type that MLflow does not know raises ValueError.
    """
    match spec.get("type"):
        case "array":
            return Array(parse_type(spec["items"]))
        case "object":
            return Object(tuple(_property(n, s) for n, s in sorted(spec["properties"].items())))
        case "map":
            return Map(parse_type(spec["values"]))
        case "any":
            return Anything()
        case "sparkml_vector":
            return Vector()
        case "tensor":
            stated = spec["tensor-spec"]
            return Tensor(stated["dtype"], tuple(stated["shape"]))
        case name if name in SCALARS:
            return Scalar(name)
        case unknown:
            msg = f"MLflow knows no type {unknown!r}"
            raise ValueError(msg)


def _property(name: str, spec: dict[str, Any]) -> Property:
    return Property(name, parse_type(spec), required=required(spec))


def required(spec: dict[str, Any]) -> bool:
    """Tell whether a column or property must be there.

    MLflow lets ``required`` default to true for scalars, to false for nested types, and knows no
    optional tensors.
    """
    stated = spec.get("required")
    return spec.get("type") in (*SCALARS, "tensor") if stated is None else bool(stated)
