"""A feed: one stream of batches for one model, and where everything of it lies."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError, model_validator

from ...expectations.contract.invalid_fields import describe_invalid
from ...expectations.contract.policy import Policy
from ...expectations.documents import DocumentError, read_yaml
from ...expectations.errors import InvalidFeed
from ...expectations.escaping import slug
from ...expectations.fan_out.workers import NamedWorkers
from ...expectations.stores.objects import is_object_url
from ...expectations.stores.scored_table import TableUrl, resolved_follow, resolved_table
from .duration import Duration, TimeZone
from .safe_folders import Folders, Root, Workspace, local_home, refuse_unsafe_folders

# Asked a hundred times a batch: to take a text apart takes longer than to look it up.
_path = lru_cache(maxsize=1_024)(Path)
_home = lru_cache(maxsize=1_024)(local_home)


class Feed(BaseModel):
    """One stream of batches for one model: ``Feed.load("feeds/flights.yaml")``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(
        pattern=r"^[A-Za-z0-9._-]{1,80}$", description="Names the feed in events and reports."
    )
    model: str = Field(
        min_length=1, description="MLflow URI of the model, such as `models:/flights@champion`."
    )
    root: Root = Field(
        ".",
        description="The feed's folder, counted from the YAML file; or such as `s3://bucket/feed`.",
    )
    folders: Folders = Field(
        default_factory=Folders, description="Folders that do not lie below `root`."
    )
    policy: Policy = Field(
        default_factory=Policy, description="What the model's signature leaves open."
    )
    params: dict[str, Any] = Field(
        default_factory=dict, description="Inference parameters, handed to `predict`."
    )
    settle_seconds: float = Field(
        60, ge=0, description="A batch without a marker is ready once it stood still for so long."
    )
    require_marker: bool = Field(
        False,
        description="Whether a batch is ready only once its `_SUCCESS` or `.ready` marker exists.",
    )
    follow: str | None = Field(
        None,
        description="A table whose versions are delivered, `delta://PATH_OR_URL`, `iceberg://CATALOG/"
        "NAMESPACE.TABLE`; or whose new rows are: `postgresql://HOST/DATABASE?table=NAME&by=COLUMN`.",
    )
    include: tuple[str, ...] = Field(
        (), description="Patterns of names to take, such as `*.csv`; all names by default."
    )
    exclude: tuple[str, ...] = Field(
        (), description="Patterns of names to leave alone, such as `*_summary.csv`."
    )
    on_duplicate: Literal["score", "skip"] = Field(
        "score",
        description="What to do with a batch whose content was scored under another name.",
    )
    schedule: str = Field(
        "*/10 * * * *",
        description="Cron expression at which `deploy` has what arrived judged and scored.",
    )
    watch_schedule: str = Field(
        "15 6 * * *", description="Cron expression at which `deploy` has drift reported."
    )
    timezone: TimeZone = Field("UTC", description="Time zone of both, such as `Europe/Berlin`.")
    expect_every: Duration | None = Field(
        None, description="An alert is due if no new batch arrives for so long, such as `1d`."
    )
    quarantine_state: Literal["completed", "failed"] = Field(
        "completed",
        description="Type of the state `Quarantined`, which ends a run that put a batch there.",
    )
    archive: bool = Field(
        False, description="Whether scored batches leave the inbox for the archive."
    )
    scored_table: TableUrl | None = Field(
        None,
        description="A table to which predictions are appended too, each batch once: "
        "`delta://FOLDER`, `delta://s3://BUCKET/FOLDER`, `iceberg://CATALOG/NAMESPACE.TABLE`, "
        "`duckdb:///FILE?table=NAME`, `postgresql://HOST/DATABASE?table=NAME`.",
    )
    rejected_table: TableUrl | None = Field(
        None,
        description="Another table, to which the rejected rows of batches that are split are "
        "appended, each once, as JSON with the reasons.",
    )
    chunk_rows: int = Field(100_000, gt=0, description="Rows handed to the model at a time.")
    workers: NamedWorkers | None = Field(
        None,
        description="Who scores batches: processes, by number; `dask://HOST:PORT`; or `ray://…`.",
    )
    predict_timeout: float | None = Field(
        None,
        gt=0,
        description="Seconds that a prediction of one piece may take; it then runs in a process "
        "of its own, which is ended. Off by default.",
    )
    max_attempts: int = Field(
        5, gt=0, description="A batch whose scoring failed so often is left alone until asked for."
    )
    backoff_seconds: float = Field(
        60, ge=0, description="Pause after a failed attempt; it doubles with each further one."
    )
    max_backoff_seconds: float = Field(3600, ge=0, description="The longest such pause.")
    experiment: str | None = Field(
        None,
        min_length=1,
        description="MLflow experiment in which each run that did something is logged.",
    )

    _source: str | None = PrivateAttr(None)
    _workspace: Workspace | None = PrivateAttr(None)

    @model_validator(mode="after")
    def _tell_folders_apart(self) -> Self:
        if self.url and (given := list(self.folders.model_dump(exclude_none=True))):
            msg = f"{', '.join(given)} cannot be given where the root is {self.url}: leave it out"
            raise ValueError(msg)
        if self.scored_table and self.scored_table == self.rejected_table:
            msg = f"scored_table and rejected_table are the same table, {self.scored_table}"
            raise ValueError(msg)
        homes: dict[Path, str] = {}
        for name in Folders.model_fields:
            # The same folder may be spelt in several ways, or be reached through a link.
            other = homes.setdefault(self._folder(name).resolve(), name)
            if other != name:
                msg = f"{other} and {name} are the same folder, {self._folder(name)}"
                raise ValueError(msg)
        return self

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a feed from a YAML file.

        Args:
            path: A YAML mapping of field names to values. Relative folders, and the policy's
                ``rules``, count from the file's own folder.

        Returns:
            The feed, all its paths absolute.

        Raises:
            InvalidFeed: No such file, not YAML, or an unknown field or value; the text lists all.
        """
        try:
            fields, source = read_yaml(path), Path(path)
        except (OSError, DocumentError) as error:
            msg = f"cannot read the feed {path}: {error}"
            raise InvalidFeed(msg) from error
        feed = cls.parse(fields, str(source)).resolved_from(source.resolve().parent)
        refuse_unsafe_folders(feed.name, feed.folder_paths())
        feed._source = str(source.resolve())  # noqa: SLF001 - our own
        return feed

    @classmethod
    def parse(cls, fields: Any, origin: str = "the feed") -> Self:
        """Build a feed from plain data.

        Args:
            fields: A mapping of field names to values.
            origin: Where it came from, for the error's text.

        Returns:
            The feed.

        Raises:
            InvalidFeed: An unknown field or value; the text lists all of them.
        """
        try:
            return cls.model_validate(fields)
        except ValidationError as error:
            raise InvalidFeed(describe_invalid(error, origin, cls)) from error

    def resolved_from(self, base: Path) -> Self:
        """Return the same feed with each relative path counted from ``base``."""
        moved = {k: str(base / v) for k, v in self.folders.model_dump(exclude_none=True).items()}
        rules = None if self.policy.rules is None else str(base / self.policy.rules)
        tables = {"scored_table": self.scored_table, "rejected_table": self.rejected_table}
        return self.model_copy(
            update={
                "root": self.root if self.url else str(base / self.root),
                "folders": Folders(**moved),
                "follow": self.follow and resolved_follow(self.follow, base),
                "policy": self.policy.model_copy(update={"rules": rules}),
                **{name: url and resolved_table(url, base) for name, url in tables.items()},
            }
        )

    @property
    def source(self) -> str | None:
        """The YAML file that it was read from; None if it was made in Python."""
        return self._source

    @property
    def url(self) -> str | None:
        """Where it lies in an object store; None if it lies on a disk."""
        return self.root if is_object_url(self.root) else None

    @property
    def workspace(self) -> Workspace | None:
        """The store to which an attempt brings what it leaves in this feed's folders."""
        return self._workspace

    def worked_on(self, root: Path, workspace: Workspace) -> Self:
        """Return the same feed for one attempt, in a folder of its own."""
        moved = {"root": str(root), "folders": Folders(receipts=str(self.receipts))}
        feed = self.model_copy(update=moved)
        feed._workspace = workspace  # noqa: SLF001 - our own
        return feed

    def address(self, path: Path) -> str:
        """Say where a path lies, or will lie once it is published."""
        url = self._workspace.url if self._workspace else self.url
        return f"{url}/{self.relative(path)}" if url else str(path)

    @property
    def inbox(self) -> Path:
        """Where batches arrive."""
        return self._folder("inbox")

    @property
    def receipts(self) -> Path:
        """What became of each batch."""
        return self._folder("receipts")

    @property
    def claims(self) -> Path:
        """Who is at work on which batch."""
        return self._folder("claims")

    @property
    def staging(self) -> Path:
        """Unfinished outputs, which nobody else reads."""
        return self._folder("staging")

    def predictions(self, batch: str, model: str, version: str) -> Path:
        """The predictions: ``scored/model=<name>/version=<version>/<batch>.parquet``."""
        folder = self._folder("scored") / f"model={slug(model)}" / f"version={slug(version)}"
        mark = f".{self._workspace.attempt}" if self._workspace else ""
        return folder / f"{batch}{mark}.parquet"

    def quarantined(self, batch: str) -> Path:
        """The folder that holds a batch that does not fit, and why."""
        return self._folder("quarantine") / batch

    def new_entry(self, name: str) -> Path:
        """The folder of a new entry of the quarantine; in a store no two attempts share one."""
        mark = f"@{self._workspace.attempt}" if self._workspace else ""
        return self.quarantined(f"{name}{mark}")

    def archived(self, file: str) -> Path:
        """The place of a scored batch that left the inbox."""
        mark = self._workspace.attempt if self._workspace else ""
        return self._folder("archive") / mark / file

    def staged(self, batch: str) -> Path:
        """The folder of a batch's unfinished outputs."""
        return self.staging / batch

    def claim(self, batch: str) -> Path:
        """The file whose lock is the claim to a batch."""
        return self.claims / batch

    def intent(self, batch: str) -> Path:
        """What is to be done with a claimed batch, whoever finishes it."""
        return self.claims / f"{batch}.intent"

    def folder_paths(self) -> dict[str, Path]:
        """All folders of the feed by name."""
        return {name: self._folder(name) for name in Folders.model_fields}

    def relative(self, path: Path) -> str:
        """Write a path as receipts do: from ``root`` where it lies below, else absolute."""
        here = _home(self.root).absolute()
        return str(path.relative_to(here) if path.is_relative_to(here) else path)

    def resolve(self, place: str) -> Path:
        """Turn a path that ``relative`` wrote into one that can be opened."""
        return _home(self.root).absolute() / place

    def _folder(self, name: str) -> Path:
        stated = getattr(self.folders, name)
        default = ".staging" if name == "staging" else name
        return (_path(stated) if stated else _home(self.root) / default).absolute()
