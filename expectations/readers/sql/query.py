"""A query of a database: whom it asks, what it asks, and how it is named without secrets."""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256

from ...credentials import mask_uri
from ...errors import UnsupportedBatch, require

SCHEMES = ("postgresql", "duckdb", "sqlite")
_USER = re.compile(r"(?<=://)([^:/@?]*):.*@", re.DOTALL)
_SECRETS = re.compile(r"(?<=[?&])(ssl)?password=[^&]*&?")
_FORMS = "postgresql://host/database, duckdb:///file.duckdb or sqlite:///file.db"


@dataclass(frozen=True, repr=False)
class Query:
    """A query whose rows are a batch: ``check(Query("sqlite:///sales.db", "select …"), model)``.

    Attributes:
        url: ``postgresql://host/database``, ``duckdb:///file`` or ``sqlite:///file``. Leave the
            password to ``PGPASSWORD`` or ``~/.pgpass``: one in here is used, and never shown.
        sql: One statement that gives rows. It is run once, in one transaction that only reads.
    """

    url: str
    sql: str

    def __post_init__(self) -> None:
        """Refuse what is no database; have a password in the URL masked wherever it is quoted."""
        require(self.url, str, "Query takes the URL of a database")
        require(self.sql, str, "Query takes SQL as text")
        if not is_database(self.url):
            msg = f"cannot query {mask_uri(self.url)}. Name the database as {_FORMS}."
            raise UnsupportedBatch(msg)
        mask_uri(_with_host(self.url))

    def __repr__(self) -> str:
        return f"Query({self.place!r}, {self.sql!r})"

    def __reduce__(self) -> tuple[type[Query], tuple[str, str]]:
        """Pickle without the password, which another process has from its own environment."""
        return type(self), (_SECRETS.sub("", _USER.sub(r"\1@", self.url)), self.sql)

    @property
    def scheme(self) -> str:
        """The kind of database."""
        return self.url.partition("://")[0]

    @property
    def file(self) -> str:
        """The file of a database that is one."""
        return self.url.partition("://")[2].removeprefix("/")

    @property
    def place(self) -> str:
        """The database, without user, password and options."""
        shown = mask_uri(_with_host(self.url)).partition("?")[0] if self.is_served else self.url
        return shown.replace("***@", "")

    @property
    def is_served(self) -> bool:
        """Whether a server answers, and not a file."""
        return self.scheme == "postgresql"

    @property
    def digest(self) -> str:
        """Twelve hexadecimal digits that are equal for equal SQL."""
        return sha256(self.sql.encode()).hexdigest()[:12]


def is_database(url: str) -> bool:
    """Tell the URL of a database that can be queried from other text."""
    scheme, sign, rest = url.partition("://")
    return bool(sign) and scheme in SCHEMES and (scheme == "postgresql" or len(rest) > 1)


def _with_host(url: str) -> str:
    # A URL without a host would be taken for a path, which has no options to hide.
    return url.replace(":///", "://localhost/", 1) if url.startswith("postgresql:") else url
