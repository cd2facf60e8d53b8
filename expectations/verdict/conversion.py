"""A column that changes its type without loss: plain data."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class Conversion(BaseModel):
    """A column that arrived in another type and is converted, losslessly, to the model's."""

    model_config = ConfigDict(frozen=True)

    column: str = Field(description="The column's name as the contract has it.")
    arrived: str = Field(description="The type in which it arrived.")
    becomes: str = Field(description="The model's type.")
