"""The table to which a feed appends its predictions, as a URL names it."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, NamedTuple
from urllib.parse import parse_qsl, urlencode

from pydantic import AfterValidator

if TYPE_CHECKING:
    from pathlib import Path

_OTHERS = (
    "write delta://FOLDER, iceberg://CATALOG/NAMESPACE.TABLE, or duckdb:///FILE or "
    "postgresql://HOST/DATABASE with the option table=NAME; other databases are not written to"
)
_FILES = ("duckdb", "sqlite")
_NO_SECRETS = "leave the password to PGPASSWORD or ~/.pgpass: a feed's file is no place for it"


class ScoredTable(NamedTuple):
    """Where it is.

    Attributes:
        scheme: ``delta``, ``iceberg``, ``duckdb`` or ``postgresql``.
        place: The folder, the catalog, the file, or the URL of the server's database.
        name: The table's name, with or without a schema; empty for Delta.
    """

    scheme: str
    place: str
    name: str

    @property
    def url(self) -> str:
        """The same as text."""
        if self.scheme == "delta":
            return f"delta://{self.place}"
        if self.scheme == "iceberg":
            return f"iceberg://{self.place}/{self.name}"
        if self.scheme in _FILES:
            return f"{self.scheme}:///{self.place}?{urlencode({'table': self.name})}"
        sign = "&" if "?" in self.place else "?"
        return f"{self.place}{sign}{urlencode({'table': self.name})}"

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
    name = options.pop("table", "")
    if ":" in rest.rpartition("@")[0] or any("password" in option for option in options):
        raise ValueError(_NO_SECRETS)
    if scheme == "postgresql" and name:
        more = f"?{urlencode(options)}" if options else ""
        return ScoredTable(scheme, f"{scheme}://{place}{more}", name)
    if scheme in _FILES and name and len(place) > 1 and place.startswith("/"):
        return ScoredTable(scheme, place.removeprefix("/"), name)
    if scheme == "delta" and rest:
        return ScoredTable(scheme, rest, "")
    catalog, _, table = rest.partition("/")
    if scheme == "iceberg" and catalog and "." in table.strip("."):
        return ScoredTable(scheme, catalog, table)
    raise ValueError(_OTHERS)


def resolved_table(url: str, base: Path) -> str:
    """Count a relative path from a folder."""
    table = parse_table(url)
    on_disk = table.scheme in ("delta", *_FILES)
    return table._replace(place=str(base / table.place)).url if on_disk else url


def resolved_follow(follow: str, base: Path) -> str:
    """Likewise for a table that is followed; what cannot be is refused where it is read."""
    url, by = split_by(follow)
    with suppress(ValueError):
        url = resolved_table(url, base)
    sign = "&" if "?" in url else "?"
    return f"{url}{sign}{urlencode({'by': by})}" if by else url


def split_by(follow: str) -> tuple[str, str]:
    """Take off the column by which a table is followed; empty if none is named."""
    base, _, query = follow.partition("?")
    options = dict(parse_qsl(query))
    by = options.pop("by", "")
    rest = f"?{urlencode(options)}" if options else ""
    return (f"{base}{rest}", by) if by else (follow, "")


def _written(url: str) -> str:
    table = parse_table(url)
    if table.scheme == "sqlite":
        raise ValueError(_OTHERS)
    return table.url


TableUrl = Annotated[str, AfterValidator(_written)]
