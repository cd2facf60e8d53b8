"""What tests of stores share.

- ``lake``: an Iceberg catalog of its own.
- ``growing``: a table of each kind of lake, to which rows are appended.
"""

from growing_tables import growing_flights  # noqa: F401 - a fixture
from lakes import lake  # noqa: F401 - a fixture
