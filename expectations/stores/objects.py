"""Objects of a bucket: read at one state, made once, replaced or deleted only while unchanged.

Credentials come from the environment or from what the machine has, as obstore finds them: see
https://developmentseed.org/obstore/latest/authentication/. None is taken from a URL.
"""

from __future__ import annotations

import re
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from ..errors import BatchChanged, Misuse, StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from datetime import datetime
    from pathlib import Path

# Scheme of a URL -> the store that it names.
STORES: dict[str, str] = {
    "s3": "Amazon S3, or what speaks its protocol",
    "gs": "Google Cloud Storage",
    "az": "Azure Blob Storage",
}
# Stores that delete an object on condition that it is unchanged.
_DELETES_IF_UNCHANGED = ("s3", "az")
_SIGNED_FOR = timedelta(minutes=5)
_PIECE = 8 << 20  # bytes
_LONGEST = 400
_STEP = re.compile(r"\s*\x1b\[31m↳\x1b\[0m\s*")
_FAILED, _GONE, _CHANGED, _NO_ANSWER = 400, 404, 412, 503


class Found(NamedTuple):
    """An object as it was when somebody looked.

    Attributes:
        key: Its name below the store's URL.
        size: In bytes.
        etag: What changes with its content, without quotes.
        written: When, by the store's clock.
    """

    key: str
    size: int
    etag: str
    written: datetime


def is_object_url(text: str) -> bool:
    """Tell whether a text is the URL of a bucket or of something in it."""
    return text.partition("://")[0] in STORES and "://" in text


def in_one_line(text: str) -> str:
    """Join what Delta's client says step by step, with an arrow in colour before each."""
    return _STEP.sub(": ", text.strip())


def deletes_if_unchanged(url: str) -> bool:
    """Tell whether a store deletes an object on condition that it is unchanged."""
    return url.partition("://")[0] in _DELETES_IF_UNCHANGED


class ObjectStore:
    """What lies below one URL of a bucket; each error but a missing object is a GateError."""

    def __init__(self, url: str) -> None:
        """Connect to nothing yet.

        Raises:
            Misuse: The URL holds credentials, or the client is not installed.
        """
        parts = urlsplit(url)
        if parts.username or parts.password or parts.query:
            msg = f"{url} holds credentials. Give them by the environment, such as AWS_PROFILE."
            raise Misuse(msg)
        try:
            import obstore
            from obstore.store import from_url
        except ImportError as error:
            msg = f"{url} needs the client of object stores: pip install 'signature-gate[s3]'."
            raise Misuse(msg) from error
        self.url = url.rstrip("/")
        self._obs: Any = obstore
        patience: Any = {"max_retries": 5, "retry_timeout": timedelta(seconds=30)}
        with self._errors(""):
            self._store: Any = from_url(self.url, retry_config=patience)

    def __reduce__(self) -> tuple[type[ObjectStore], tuple[str]]:
        return ObjectStore, (self.url,)

    def list(self, folder: str = "") -> Iterator[Found]:
        """List the objects below a folder, the folders below it included."""
        with self._errors(folder):
            for some in self._obs.list(self._store, prefix=folder or None):
                yield from map(_found, some)

    def head(self, key: str) -> Found:
        """Look at an object; FileNotFoundError if there is none."""
        with self._errors(key):
            return _found(self._obs.head(self._store, key))

    def read(self, key: str) -> tuple[bytes, Found]:
        """Read a small object whole; FileNotFoundError if there is none."""
        with self._errors(key):
            got = self._obs.get(self._store, key)
            return bytes(got.bytes()), _found(got.meta)

    def download(self, found: Found, path: Path, start: int = 0, end: int | None = None) -> None:
        """Write an object, or bytes of it at their place, into a file.

        BatchChanged: it is no longer what was found.
        """
        options: dict[str, Any] = {"if_match": f'"{found.etag}"'}
        if (start, end) != (0, None):
            options["range"] = (start, found.size if end is None else end)
        with self._errors(found.key), path.open("r+b" if path.exists() else "wb") as file:
            file.seek(start)
            for piece in self._obs.get(self._store, found.key, options=options).stream(_PIECE):
                file.write(piece)

    def upload(self, path: Path, key: str) -> None:
        """Write a file of any size under a key that is nobody else's."""
        with self._errors(key):
            self._obs.put(self._store, key, path)

    def create(self, key: str, body: bytes) -> str | None:
        """Make an object, and return its etag; None if there is another one.

        A body must be unique: a repeated request of the same body counts as the first.
        """
        from obstore.exceptions import AlreadyExistsError

        try:
            with self._errors(key):
                return _etag(self._obs.put(self._store, key, body, mode="create"))
        except AlreadyExistsError:
            return self._own(key, body)

    def replace(self, key: str, body: bytes, etag: str) -> str | None:
        """Replace an object that is unchanged, and return its new etag; None if it is not."""
        from obstore.exceptions import PreconditionError

        try:
            with self._errors(key, PreconditionError):
                put = self._obs.put(self._store, key, body, mode={"e_tag": f'"{etag}"'})
                return _etag(put)
        except (PreconditionError, FileNotFoundError):
            return self._own(key, body)

    def _own(self, key: str, body: bytes) -> str | None:
        # The answer to an earlier request may have been lost, and the client repeats it.
        try:
            there, found = self.read(key)
        except FileNotFoundError:
            return None
        return found.etag if there == body else None

    def write(self, key: str, body: bytes) -> None:
        """Write a small object, whatever was there."""
        with self._errors(key):
            self._obs.put(self._store, key, body)

    def delete(self, key: str) -> None:
        """Delete an object of the gate's own, if it is there."""
        with suppress(FileNotFoundError), self._errors(key):
            self._obs.delete(self._store, key)

    def delete_unchanged(self, found: Found) -> bool:
        """Delete an object that is still what was found; return whether it is gone.

        Where the store knows no such condition it stays.
        """
        if not deletes_if_unchanged(self.url):
            return False
        with self._errors(found.key):
            url = self._obs.sign(self._store, "DELETE", found.key, _SIGNED_FOR)
        status = _delete(url, found.etag)
        if status in (_GONE, _CHANGED):
            return status == _GONE
        if status >= _FAILED:
            raise StoreUnavailable(_said(self.url, found.key, f"HTTP {status}"))
        return True

    def failed(self, key: str, text: str) -> StoreUnavailable:
        """Say what another client was told."""
        return StoreUnavailable(_said(self.url, key, in_one_line(text)))

    @contextmanager
    def _errors(self, key: str, *passed: type[Exception]) -> Generator[None]:
        """Turn the client's errors into ours: they quote signed addresses, and go on for pages."""
        from obstore.exceptions import AlreadyExistsError, BaseError, PreconditionError

        try:
            yield
        except (AlreadyExistsError, *passed):
            raise
        except PreconditionError:
            msg = f"{self.url}/{key} was replaced meanwhile. The next run takes it as a new batch."
            raise BatchChanged(msg) from None
        except BaseError as error:
            raise StoreUnavailable(_said(self.url, key, str(error))) from None


def _delete(url: str, etag: str) -> int:
    """Send what the client has no method for; return the status, 503 for no answer."""
    from urllib.error import HTTPError
    from urllib.request import Request, urlopen

    request = Request(url, method="DELETE", headers={"If-Match": f'"{etag}"'})  # noqa: S310 - the store's own
    try:
        with urlopen(request, timeout=30) as answer:  # noqa: S310
            return answer.status
    except HTTPError as error:
        return error.code
    except OSError:
        return _NO_ANSWER


def _found(meta: Any) -> Found:
    if not _etag(meta):
        msg = f"the store gives {meta['path']} no etag, by which a change would be noticed."
        raise StoreUnavailable(msg)
    return Found(meta["path"], meta["size"], _etag(meta), meta["last_modified"])


def _etag(meta: Any) -> str:
    return (meta["e_tag"] or "").strip('"')


def _said(url: str, key: str, text: str) -> str:
    words = text.partition("\n")[0][:_LONGEST]
    remedy = "Try again; look after credentials."
    if "invalid path" in words:
        remedy = "Rename or delete that object."
    return f"{url}/{key} did not answer as it should: {words}. {remedy}"
