"""HTML that shows text from a model or a user, and does nothing else.

markdown-it-py renders Markdown with raw HTML and images switched off: an image address that a model
chose would be fetched as soon as the text is shown, and could leak what the model has read. Links
are kept, because they do nothing until they are clicked.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

# characters shown of one text; more would stall the browser
CHARACTERS = 20_000
PICTURES = {
    code: 0x2400 + code for code in range(0x20) if chr(code) not in "\t\n"
} | {0x7F: 0x2421}


@lru_cache(maxsize=64)  # a chat shows the same turns again and again
def markdown(text: str) -> str:
    """Return Markdown as HTML: paragraphs, lists, code, tables, emphasis, and links. Longer text is
    cut, and the output says so.
    """
    shown, left = _cut(text)
    return str(_renderer().render(shown)) + _cut_off(left)


def plain(text: str) -> str:
    """Return escaped ``text``, with visible symbols for control characters. Longer text is cut, and
    the output says so.
    """
    shown, left = _cut(text)
    return f'<div style="white-space:pre-wrap">{escape(shown)}</div>{_cut_off(left)}'


def sendable(text: str) -> str:
    """Return the text without half characters (lone surrogates): UTF-8 cannot encode them, so they
    cannot be sent.
    """
    return re.sub("[\ud800-\udfff]", "\ufffd", text)


def _cut(text: str) -> tuple[str, int]:
    """Return the part that is shown, in characters that every browser has, and how many characters
    are left out.
    """
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
    # where the link really leads
    tokens[index].attrSet("title", tokens[index].attrGet("href"))
    return renderer.renderToken(tokens, index, options, env)
