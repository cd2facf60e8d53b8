"""Text from data, made safe to show: in HTML, in Markdown, on a terminal, as part of a path.

A column name or a value may hold anything: an escape sequence that repaints a terminal, an override
of the reading direction, a link, a tag, or an invisible blank. Such a character is replaced by a
mark that names it; it never takes effect.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

# Characters that Python calls printable although nothing is seen of them (Unicode's
# Default_Ignorable_Code_Point, and the blank Braille pattern).
_UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
# An underscore within a word and these signs within a line mean nothing, so they stay readable.
_MARKDOWN = re.compile(r"[\\`*{}\[\]()<>#~|!$^&]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|^[+=-]")
_NUMBERED_ITEM = re.compile(r"^(\d+)\.")
# GitHub's autolinks look at text after escapes are undone; only a node in between stops them.
_AUTOLINK = re.compile(r"(?:@|:(?=//)|(?<=www)\.)+", re.IGNORECASE)
# What acts within a line: code, emphasis, links, tags, references; and at a line's beginning.
_ACTS_IN_TABLES = re.compile(
    r"[`*~\\]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|\](?=[(\[:])|<(?=[A-Za-z/!?])|&(?=[#A-Za-z])"
    r"|(?<=http):(?=//)|(?<=https):(?=//)|(?<=ftp):(?=//)|(?<=www)\.|(?<=\w)@(?=\w)"
    r"|^(?:>|[#+-](?=[#\s+-]|$)|={2}| +|\[)|(?<=^\d)[.)](?=\s)",
    re.IGNORECASE,
)
_OUTER_SPACES = re.compile(r"^ +| +$")
_NOT_SLUG = re.compile(r"[^A-Za-z0-9._]+")
_SLUG_LENGTH = 80


def visible(text: object, *, limit: int | None = None) -> str:
    """Replace every control or invisible character by a mark that names it, such as ``⟨U+202E⟩``.

    These are the characters that ``str.isprintable`` refuses (controls, line breaks, bidirectional
    and other format characters, blanks but the common space, lone surrogates, private use) and the
    few invisible ones that it lets through. The one line that results is not escaped for any
    markup; characters beyond ``limit`` are counted instead.
    """
    return _shown(text, limit, _code_point)


def for_terminal(text: object, *, limit: int | None = None) -> str:
    r"""Do what ``visible`` does, with Python's own escapes: ``\x1b``, ``\u202e``.

    A terminal that knows neither colour nor Unicode can show the marks too. Rich's markup is left
    alone: print the text as ``rich.text.Text``, or with ``markup=False``.
    """
    return _shown(text, limit, _python_escape)


def for_markdown(text: object, *, limit: int | None = None) -> str:
    """Escape a name or value for a paragraph, list item or table cell of Markdown.

    Whatever has a meaning in CommonMark or GitHub's dialect gets a backslash, so that it stands for
    itself only: no pipe ends a cell, no bracket makes a link, no tag reaches HTML. Character
    references would do the same, but Prefect's older pages show them as they are written. Web and
    mail addresses, which GitHub's dialect links by themselves, are held apart by a code span round
    their ``:`` or ``@``. The result must not stand inside backticks, where backslashes do not
    count.
    """
    shown = _OUTER_SPACES.sub(_named_spaces, visible(text, limit=limit))
    referenced = _NUMBERED_ITEM.sub(r"\1\.", _MARKDOWN.sub(r"\\\g<0>", shown))
    return _AUTOLINK.sub(r"`\g<0>`", referenced)


def for_table(text: object, *, limit: int | None = None) -> str:
    """Escape a name or value for a table that some pages render as Markdown and some do not.

    An escape would be shown by the latter, so that what acts in Markdown is named instead, and
    nothing else: in ``<b>`` the bracket reads ``⟨U+003C⟩``.
    """
    shown = visible(text, limit=limit)
    return _ACTS_IN_TABLES.sub(lambda match: "".join(map(_code_point, match[0])), shown)


def slug(text: object) -> str:
    """Turn a name into a part of a path: 1 to 80 characters of ``A-Za-z0-9._-``.

    Accents are dropped and every other run of foreign characters becomes one hyphen. The slug is
    never ``.`` or ``..``, and begins with neither a dot nor a hyphen. Different names may give the
    same slug: where that matters, add a digest.
    """
    plain = unicodedata.normalize("NFKD", str(text)).encode("ascii", "ignore").decode()
    cut = _NOT_SLUG.sub("-", plain).strip("-.")[:_SLUG_LENGTH]
    return cut.rstrip("-.") or "unnamed"


def _shown(text: object, limit: int | None, mark: Callable[[str], str]) -> str:
    whole = str(text)
    kept = whole if limit is None else whole[:limit]
    if not kept.isprintable() or _UNSEEN.search(kept):
        kept = "".join(mark(c) if _hides(c) else c for c in kept)
    cut = len(whole) - (len(whole) if limit is None else limit)
    return kept if cut <= 0 else f"{kept}… ({cut:,} more characters)"


def _hides(character: str) -> bool:
    return not character.isprintable() or bool(_UNSEEN.match(character))


def _code_point(character: str) -> str:
    return f"⟨U+{ord(character):04X}⟩"


def _python_escape(character: str) -> str:
    return ascii(character)[1:-1]


def _named_spaces(spaces: re.Match[str]) -> str:
    return _code_point(" ") * len(spaces[0])
