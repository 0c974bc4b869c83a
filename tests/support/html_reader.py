"""A lab's HTML as a browser reads it: the tags, which are closed in order, the cells, and the
text.
"""

from __future__ import annotations

from html.parser import HTMLParser

VOID = {"br"}
ATTRIBUTES = {
    "class",
    "style",
    "scope",
    "title",
    "role",
    "tabindex",
    "aria-label",
    "dir",
}
DRAWN = {
    "viewbox",
    "width",
    "height",
    "x",
    "y",
    "text-anchor",
    "fill",
    "fill-opacity",
}
DRAWN |= {"stroke", "stroke-width"}

# What a reply may contain: markup, ends of tags and attributes, a change of text direction, emoji,
# NUL, and half a character.
HOSTILE = (
    "<script>alert(1)</script>",
    "</span></td></table>",
    '" onmouseover="alert(1)',
    "'><img src=x onerror=alert(1)>",
    "&lt;b&gt;&amp;",
    "שלום \u202eevil\u202c",
    "\u2066مرحبا\u2069",
    "👩\u200d🚀🦥\ufe0f",
    "a\x00b\x1b[31m",
    "\ud83d",
    "\n\r\t\u2028",
    "",
    "e\u0301",
)


class HtmlReader(HTMLParser):
    """Raises AssertionError for a tag that is not closed and for an attribute that none of our labs
    writes.
    """

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.titles: list[str] = []
        self.rows: list[list[str]] = []
        self.text = ""
        self._open: list[str] = []
        html.encode()  # half a surrogate pair could not be sent to the browser
        self.feed(html)
        self.close()
        assert self._open == []

    def handle_starttag(
        self, tag: str, attrs: list[tuple[str, str | None]]
    ) -> None:
        assert {name for name, _ in attrs} <= ATTRIBUTES | DRAWN, attrs
        self.titles += [value or "" for name, value in attrs if name == "title"]
        self.tags.append(tag)
        if tag not in VOID:
            self._open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data
        if {"td", "th"} & set(self._open):
            self.rows[-1][-1] += data
