"""Credentials in URIs: hidden wherever a URI is shown, logged or written.

User and password, and the query of a signed URL, are replaced by ``***``. A URI that was masked
once is known for the life of the process: it can be used again, and any text that quotes it, as
errors of libraries do, is masked exactly, whatever characters the password has.
"""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import quote, unquote

_HIDDEN = "***"
_URI = re.compile(
    r"(?P<scheme>[A-Za-z][\w+.-]*://)(?!/)(?P<user>.*@)?(?P<path>[^?]*)(?P<query>\?.*)?", re.DOTALL
)
# In a text the end of a password can only be guessed; a port before a blank is no password, nor is
# what stands before a version, as in delta://s3://bucket/table@3.
_USER = re.compile(
    r"(?<=://)(?<!delta://)(?:[^\s/@]*@|[^\s/:@]*:\S*@|[^\s/:@]*:(?!\d{1,5}(?:[/,;.:)\s]|$))[^\n@]*@(?=[\w.\[-]))"
)
_QUERY = re.compile(r"(?<=[\w/])\?\S+=\S+")
_DELIMITERS = re.compile(r"[@/:?#\s]+")
_SHORTEST_FRAGMENT = 3
_LONG_WORD = 8  # a shorter password, such as `mlflow`, may also be a word of the text
_MOST_KNOWN = 200
_known: dict[str, str] = {}  # URI -> as it is shown


def mask_uri(uri: str) -> str:
    """Hide the credentials of one URI; ``unmasked`` gives them back within this process."""
    parts = _URI.fullmatch(uri)
    if parts is None:
        return uri
    if "?" in (parts["user"] or ""):
        shown = f"{parts['scheme']}{_HIDDEN}"
    else:
        user = f"{_HIDDEN}@" if parts["user"] else ""
        query = f"?{_HIDDEN}" if "=" in (parts["query"] or "") else parts["query"] or ""
        shown = f"{parts['scheme']}{user}{parts['path']}{query}"
    if shown != uri:
        _known.pop(uri, None)
        _known[uri] = shown
        for forgotten in tuple(_known)[:-_MOST_KNOWN]:
            del _known[forgotten]
    return shown


def unmasked(uri: str) -> str:
    """Return the URI that ``mask_uri`` masked."""
    return next((known for known, shown in reversed(_known.items()) if shown == uri), uri)


def masked(text: str) -> str:
    """Hide all credentials in a text."""
    for uri, shown in tuple(_known.items()):
        text = text.replace(uri, shown)
        for secret in _secrets(uri):
            text = text.replace(secret, _HIDDEN)
    return _QUERY.sub(f"?{_HIDDEN}", _USER.sub(f"{_HIDDEN}@", text))


@lru_cache(maxsize=_MOST_KNOWN)
def _secrets(uri: str) -> list[str]:
    """List what a library may quote of a URI's credentials, the longest first."""
    parts = _URI.fullmatch(uri)
    user = (parts["user"] or "") if parts else ""
    query = (parts["query"] or "")[1:] if parts else ""
    password = user.partition(":")[2].removesuffix("@")
    secrets = {user.removesuffix("@"), query if "=" in query else ""}
    for form in (password, unquote(password)):
        if not form.isalpha() or len(form) >= _LONG_WORD:
            secrets.add(form)
        # A library that takes a delimiter in the password for one of the URI quotes fragments.
        if _DELIMITERS.search(form):
            secrets.update(form.split("@"), form.split("/"), _DELIMITERS.split(form))
    # Counted as it stands: the three characters of a blank's code are in any address.
    long = [secret for secret in secrets if len(secret) >= _SHORTEST_FRAGMENT]
    forms = {form for secret in long for form in (secret, unquote(secret), quote(secret))}
    return sorted((f for f in forms if len(f) >= _SHORTEST_FRAGMENT), key=len, reverse=True)
