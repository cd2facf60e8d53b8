"""One worker for a batch at a time, where no kernel frees what the dead have locked.

A lease is an object that its holder renews. Who finds one that was not renewed for as long as a
lease lasts, by the store's own clock, takes it over. Each body is unique, since an etag is a digest
of the content: with equal bodies a lease that was lost and made again would look untouched. A lease
spares work and proves nothing: a holder that slept may go on beside its heir. What is done is
decided by the receipt, which only one of them can create.
"""

from __future__ import annotations

import json
import os
import re
import uuid
from contextlib import contextmanager
from datetime import timedelta
from threading import Event, Thread
from typing import TYPE_CHECKING, NamedTuple

from ...expectations.errors import GateError, Misuse

if TYPE_CHECKING:
    from collections.abc import Generator
    from datetime import datetime

    from ...expectations.stores.objects import Found, ObjectStore

CLAIMS = "claims"
_CLOCK = f"{CLAIMS}/.clock"
_BODY = re.compile(rb'\{"attempt": "([0-9a-f]{12})"')
_BETWEEN = 3  # renewals in the time that a lease lasts


def lasts() -> float:
    """Seconds that a lease lasts; the clocks of stores count whole ones."""
    stated = os.environ.get("SIGNATURE_GATE_LEASE", "60")
    try:
        return float(stated)
    except ValueError:
        msg = f"SIGNATURE_GATE_LEASE={stated!r} is no number; give seconds, 30 or more."
        raise Misuse(msg) from None


class Lease(NamedTuple):
    """A hold on a batch.

    Attributes:
        attempt: A name that no other attempt has.
        before: The attempt whose holder died, or seems to have.
    """

    attempt: str
    before: str | None


@contextmanager
def leased(store: ObjectStore, batch: str) -> Generator[Lease | None]:
    """Hold a batch against other workers; yield None if one has it."""
    key, attempt = f"{CLAIMS}/{batch}", uuid.uuid4().hex[:12]
    etag, before = store.create(key, _body(attempt)), None
    if etag is None:
        etag, before = _inherit(store, key, attempt)
    if etag is None:
        yield None
        return
    over = Event()
    renewing = Thread(target=_renew, args=(store, key, attempt, etag, over), daemon=True)
    renewing.start()
    try:
        yield Lease(attempt, before)
    finally:
        over.set()
        renewing.join()
        _let_go(store, key, attempt)


def is_held(store: ObjectStore, lease: Found) -> bool:
    """Tell whether the holder of a lease may still be alive."""
    return _now(store) - lease.written < timedelta(seconds=lasts() + 1)


def _inherit(store: ObjectStore, key: str, attempt: str) -> tuple[str | None, str | None]:
    try:
        body, lease = store.read(key)
    except FileNotFoundError:
        return store.create(key, _body(attempt)), None
    if is_held(store, lease):
        return None, None
    return store.replace(key, _body(attempt), lease.etag), _attempt_of(body)


def _renew(store: ObjectStore, key: str, attempt: str, etag: str, over: Event) -> None:
    held: str | None = etag
    while held and not over.wait(lasts() / _BETWEEN):
        try:
            held = store.replace(key, _body(attempt), held)
        except GateError:
            continue  # another try at the next turn; the store's clock goes on meanwhile


def _let_go(store: ObjectStore, key: str, attempt: str) -> None:
    try:
        body, _ = store.read(key)
        if _attempt_of(body) == attempt:
            store.delete(key)
    except (GateError, FileNotFoundError):
        return  # it ends by itself


def _attempt_of(body: bytes) -> str | None:
    # Somebody else's object ends as a lease does, and names nothing that may be deleted.
    found = _BODY.match(body)
    return found[1].decode() if found else None


def _now(store: ObjectStore) -> datetime:
    """Ask the store what time it is."""
    store.write(_CLOCK, uuid.uuid4().hex.encode())
    return store.head(_CLOCK).written


def _body(attempt: str) -> bytes:
    return json.dumps({"attempt": attempt, "once": uuid.uuid4().hex}).encode()
