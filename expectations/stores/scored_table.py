"""The table to which a feed appends its predictions, as a URL names it."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, NamedTuple
from urllib.parse import parse_qsl, urlencode

from pydantic import AfterValidator

from .objects import is_object_url

if TYPE_CHECKING:
    from pathlib import Path

_OTHERS = (
    "write delta://FOLDER, delta://s3://BUCKET/FOLDER, iceberg://CATALOG/NAMESPACE.TABLE, or "
    "duckdb:///FILE or postgresql://HOST/DATABASE with the option table=NAME; "
    "other databases are not written to"
)
_FILES = ("duckdb", "sqlite")
_NO_SECRETS = (
    "leave the password to PGPASSWORD or ~/.pgpass, and keys of a store to the environment: "
    "a feed's file is no place for them"
)


class ScoredTable(NamedTuple):
    """Where it is.

    Attributes:
        scheme: ``delta``, ``iceberg``, ``duckdb`` or ``postgresql``; ``sqlite`` is only followed.
        place: The folder or its URL, the catalog, the file, or the URL of the server's database.
        name: The table's name, with or without a schema; empty for Delta.
        by: The column by which its rows are followed.
    """

    scheme: str
    place: str
    name: str
    by: str = ""

    @property
    def url(self) -> str:
        """The same as text."""
        options = {"table": "" if self.scheme == "iceberg" else self.name, "by": self.by}
        query = urlencode({option: value for option, value in options.items() if value})
        return (
            f"{self.database}{'&' if '?' in self.place else '?'}{query}" if query else self.database
        )

    @property
    def database(self) -> str:
        """The URL of what the table is in; of a lake's table its own."""
        if self.scheme == "iceberg":
            return f"iceberg://{self.place}/{self.name}"
        start = {"delta": "delta://", "postgresql": ""}.get(self.scheme, f"{self.scheme}:///")
        return start + self.place

    @property
    def quoted(self) -> str:
        """Its name in SQL."""
        return ".".join(map(quoted, self.name.split(".")))


def quoted(name: str) -> str:
    """Write a name as SQL has it."""
    return '"' + name.replace('"', '""') + '"'


def parse_table(url: str) -> ScoredTable:
    """Take a URL apart; ValueError if it names no table, or has a password."""
    scheme, _, rest = url.partition("://")
    place, _, query = rest.partition("?")
    options = dict(parse_qsl(query))
    name, by = options.pop("table", ""), options.pop("by", "")
    if scheme == "delta" and is_object_url(place):
        if options or "@" in place.split("/")[2]:
            raise ValueError(_NO_SECRETS)
        return ScoredTable(scheme, place.rstrip("/"), "", by)
    if ":" in rest.rpartition("@")[0] or any("password" in option for option in options):
        raise ValueError(_NO_SECRETS)
    if scheme == "postgresql" and name:
        more = f"?{urlencode(options)}" if options else ""
        return ScoredTable(scheme, f"{scheme}://{place}{more}", name, by)
    if scheme in _FILES and name and len(place) > 1 and place.startswith("/"):
        return ScoredTable(scheme, place.removeprefix("/"), name, by)
    if scheme == "delta" and rest and "://" not in rest:
        return ScoredTable(scheme, place if by else rest, "", by)
    catalog, _, table = (place if by else rest).partition("/")
    if scheme == "iceberg" and catalog and "." in table.strip("."):
        return ScoredTable(scheme, catalog, table, by)
    raise ValueError(_OTHERS)


def resolved_table(url: str, base: Path) -> str:
    """Count a relative path from a folder."""
    table = parse_table(url)
    on_disk = table.scheme in ("delta", *_FILES) and not is_object_url(table.place)
    return table._replace(place=str(base / table.place)).url if on_disk else url


def resolved_follow(url: str, base: Path) -> str:
    """Likewise for a table that is followed; what cannot be is refused where it is read."""
    with suppress(ValueError):
        return resolved_table(url, base)
    return url


def _written(url: str) -> str:
    table = parse_table(url)
    if table.scheme == "sqlite" or table.by:
        raise ValueError(_OTHERS)
    return table.url


TableUrl = Annotated[str, AfterValidator(_written)]
