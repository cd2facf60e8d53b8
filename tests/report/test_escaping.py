from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from signature_gate.expectations.escaping import for_markdown, for_terminal, slug, visible

ANY_TEXT = st.text(st.characters(exclude_categories=()))
MARKS = st.text(alphabet="|`*_[](){}<>#!&;\\~$^+-=.:/@w1 \n\tax")
# What GitHub's dialect links although nothing marks it as a link.
BARE_LINK = re.compile(r"https?://|ftp://|www\.|[\w.+-]@[\w-]", re.IGNORECASE)


@pytest.mark.parametrize(
    ("hidden", "shown"),
    [
        ("a\nb", "a⟨U+000A⟩b"),
        ("\x1b[31mred", "⟨U+001B⟩[31mred"),
        ("\u202egnp.exe", "⟨U+202E⟩gnp.exe"),
        ("\u2066x\u2069", "⟨U+2066⟩x⟨U+2069⟩"),
        ("\ufeffyear", "⟨U+FEFF⟩year"),
        ("dep\u00a0time", "dep⟨U+00A0⟩time"),
        ("zero\u200bwidth", "zero⟨U+200B⟩width"),
        ("\u3164", "⟨U+3164⟩"),
        ("day\ufe0f", "day⟨U+FE0F⟩"),
        ("half \ud800", "half ⟨U+D800⟩"),
        ("\U000e0041", "⟨U+E0041⟩"),
    ],
)
def test_a_character_that_acts_or_hides_is_named(hidden: str, shown: str) -> None:
    """Controls, bidirectional overrides, blanks and half characters become marks."""
    assert visible(hidden) == shown


@pytest.mark.parametrize("plain", ["", "dep_time", " padded ", "Straße 東京 مرحبا", "<b>&amp;"])
def test_what_can_be_read_stays_as_it_is(plain: str) -> None:
    """Letters of every script, the common space and markup are not touched."""
    assert plain == visible(plain) == for_terminal(plain)


def test_long_text_is_cut_and_says_so() -> None:
    """The characters that are left out are counted."""
    assert visible("x" * 1_300, limit=100) == "x" * 100 + "… (1,200 more characters)"


@given(ANY_TEXT)
def test_no_text_reaches_a_terminal_with_a_control_character(text: str) -> None:
    """Whatever the text, what is shown is printable, one line, and can be encoded."""
    for shown in (visible(text), for_terminal(text), for_markdown(text)):
        assert shown.isprintable()
        assert shown == shown.encode("utf-8").decode("utf-8")


@pytest.mark.parametrize(
    ("text", "shown"),
    [("\x1b]0;title\x07", r"\x1b]0;title\x07"), ("\u202e", r"\u202e"), ("a\r\nb", r"a\r\nb")],
)
def test_a_terminal_shows_escapes_instead_of_obeying_them(text: str, shown: str) -> None:
    """The escapes are Python's, in plain ASCII."""
    assert for_terminal(text) == shown


@given(ANY_TEXT | MARKS)
def test_markdown_shows_any_text_as_itself_in_a_table_cell(text: str) -> None:
    """A cell stays one cell of mere text; a reader sees exactly what ``visible`` gives."""
    table = f"| a | b |\n| --- | --- |\n| {for_markdown(text)} | end |\n"

    tokens = (
        MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).parse(table)
    )

    cells = [token for token in tokens if token.type == "inline"][2:]
    assert [cell.content for cell in cells[1:]] == ["end"]
    assert {node.type for node in cells[0].children} <= {"text", "code_inline", "text_special"}
    read = "".join(node.content for node in cells[0].children)
    assert read.replace("⟨U+0020⟩", " ").strip(" ") == visible(text).replace("⟨U+0020⟩", " ").strip(
        " "
    )


@given(MARKS)
def test_markdown_shows_any_text_as_one_paragraph(text: str) -> None:
    """At the start of a line too, nothing makes a heading, list, quote, rule or code block."""
    tokens = MarkdownIt("commonmark", {"html": True}).parse(for_markdown(text))

    assert [t.type for t in tokens] in ([], ["paragraph_open", "inline", "paragraph_close"])


@pytest.mark.parametrize(
    "text",
    [
        "http://evil.example",
        "HTTPS://evil.example",
        "www.evil.example",
        "ftp://evil.example",
        "me@evil.example",
        "@@://www.evil.example",
        "[pay](http://evil.example)",
        "<https://evil.example>",
        "![x](https://evil.example/pixel.png)",
    ],
)
def test_markdown_links_nothing(text: str) -> None:
    """No node of the text alone holds an address that GitHub's dialect would link by itself."""
    tokens = MarkdownIt("commonmark").parse(for_markdown(text))

    nodes = [node for token in tokens for node in token.children or ()]
    assert {node.type for node in nodes} <= {"text", "code_inline", "text_special"}
    assert not any(BARE_LINK.search(node.content) for node in nodes if node.type == "text")
    assert "".join(node.content for node in nodes) == text


def test_a_name_in_markdown_stays_readable_in_the_source() -> None:
    """Underscores within words, points and hyphens are left alone."""
    assert for_markdown("sched_dep_time 2013-01-02 0.5") == "sched_dep_time 2013-01-02 0.5"


@given(ANY_TEXT)
def test_a_slug_is_always_a_safe_part_of_a_path(text: str) -> None:
    """1 to 80 plain characters, never a parent folder, a hidden file or an option."""
    assert re.fullmatch(r"[A-Za-z0-9._-]{1,80}", slug(text))
    assert slug(text)[0] not in ".-"
    assert slug(slug(text)) == slug(text)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("flights-2013-01-02", "flights-2013-01-02"),
        ("../../etc/passwd", "etc-passwd"),
        ("..", "unnamed"),
        ("", "unnamed"),
        ("東京", "unnamed"),
        ("São Paulo (copy).csv", "Sao-Paulo-copy-.csv"),
        ("-rf", "rf"),
        ("x" * 79 + ".gz", "x" * 79),
    ],
)
def test_a_slug_reads_like_its_name(name: str, expected: str) -> None:
    """Accents are dropped, other foreign characters become hyphens."""
    assert slug(name) == expected
