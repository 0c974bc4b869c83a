"""HTML that shows what a model or a user wrote, and does nothing else.

Markdown is rendered by markdown-it-py with raw HTML switched off, and without images: an address
that a model chose would be fetched as soon as it is shown, and could leak what the model has read.
Links are kept, because they do nothing until they are clicked.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

CHARACTERS = 20_000  # shown of one text; more would stall the browser
PICTURES = {
    code: 0x2400 + code for code in range(0x20) if chr(code) not in "\t\n"
} | {0x7F: 0x2421}


@lru_cache(maxsize=64)  # a chat shows the same turns again and again
def markdown(text: str) -> str:
    """Markdown as HTML: paragraphs, lists, code, tables, emphasis, links. A longer text is cut, and
    says so.
    """
    shown, left = _cut(text)
    return str(_renderer().render(shown)) + _cut_off(left)


def plain(text: str) -> str:
    """``text``, escaped; control characters as their pictures. Longer text is cut, and the output
    says so.
    """
    shown, left = _cut(text)
    return f'<div style="white-space:pre-wrap">{escape(shown)}</div>{_cut_off(left)}'


def sendable(text: str) -> str:
    """The text without halves of characters: UTF-8 cannot write them, so they cannot be
    sent.
    """
    return re.sub("[\ud800-\udfff]", "\ufffd", text)


def _cut(text: str) -> tuple[str, int]:
    """What is shown, in characters that every browser has, and how many are left out."""
    shown = sendable(text[:CHARACTERS]).replace("\r\n", "\n")
    return shown.translate(PICTURES), max(0, len(text) - CHARACTERS)


def _cut_off(left: int) -> str:
    return (
        f"<p><i>… and {left:,} more characters, not shown.</i></p>"
        if left
        else ""
    )


@cache
def _renderer() -> MarkdownIt:
    from markdown_it import MarkdownIt

    made = (
        MarkdownIt("commonmark", {"html": False, "breaks": True})
        .enable("table")
        .disable("image")
    )
    made.add_render_rule("link_open", _link)
    return made


def _link(renderer, tokens, index, options, env):  # type: ignore[no-untyped-def]  # markdown-it's protocol
    tokens[index].attrSet("target", "_blank")
    tokens[index].attrSet("rel", "noopener noreferrer nofollow")
    # where it really leads
    tokens[index].attrSet("title", tokens[index].attrGet("href"))
    return renderer.renderToken(tokens, index, options, env)
