"""The table of all broken inputs with their expected verdicts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from broken_arrays import ARRAYS
from broken_arrow import ARROW
from broken_csv import CSV
from broken_json_lines import JSON_LINES
from broken_parquet import PARQUET
from broken_places import PLACES

if TYPE_CHECKING:
    from broken import Broken

ZOO: dict[str, Broken] = PARQUET | CSV | JSON_LINES | ARROW | ARRAYS | PLACES
