"""What is wrong with a folder of web pages: broken links, images without alternative text, and
anything from other sites.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

from bs4 import BeautifulSoup, Tag

LOADS = dict.fromkeys(
    ["script", "img", "iframe", "source", "video", "audio", "embed"], "src"
)
LOADS |= {"object": "data", "link": "href"}
REMOTE_STYLE = re.compile(
    r"""(?:url\(|@import)\s*["']?(?:https?:)?//[^"')\s]+"""
)


class Site:
    """The pages under ``folder``, each read once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pages = {
            path: BeautifulSoup(path.read_text("utf-8"), "html.parser")
            for path in folder.rglob("*.html")
        }
        self._ids = {
            path: {str(tag["id"]) for tag in page.find_all(id=True)}
            for path, page in self.pages.items()
        }

    def problems(self) -> list[str]:
        """One sentence for each problem."""
        found = []
        for path, page in sorted(self.pages.items()):
            name = path.relative_to(self.folder).as_posix()
            for check in (
                self._links,
                self._images,
                self._remote,
                self._headings,
                self._tables,
            ):
                found += [f"{name}: {problem}" for problem in check(path, page)]
        for style in sorted(self.folder.rglob("*.css")):
            found += [
                f"{style.name} loads {address}"
                for address in REMOTE_STYLE.findall(style.read_text("utf-8"))
            ]
        return found

    def _links(self, path: Path, page: BeautifulSoup) -> Iterator[str]:
        for tag in page.find_all(True):
            for name in ("href", "src"):
                target = urlsplit(str(tag.get(name, "")))
                if not tag.get(name) or target.scheme or target.netloc:
                    continue
                file = (
                    (path.parent / unquote(target.path)).resolve()
                    if target.path
                    else path
                )
                if not file.is_file():
                    yield f"{tag.name} leads to {target.path}, which is not there"
                elif (
                    target.fragment
                    and file in self._ids
                    and unquote(target.fragment) not in self._ids[file]
                ):
                    yield (
                        f"{tag.name} leads to {target.path}#{target.fragment}; there is no "
                        "such place"
                    )

    def _images(self, path: Path, page: BeautifulSoup) -> Iterator[str]:
        for image in page.find_all("img"):
            if not str(image.get("alt", "")).strip():
                yield f"{str(image)[:80]} has no alternative text"

    def _remote(self, path: Path, page: BeautifulSoup) -> Iterator[str]:
        for tag in page.find_all(list(LOADS)):
            if (
                _is_loaded(tag)
                and urlsplit(str(tag.get(LOADS[tag.name], ""))).netloc
            ):
                yield f"{tag.name} loads {tag[LOADS[tag.name]]}"
        for style in [*page.find_all("style"), *page.find_all(style=True)]:
            yield from (
                f"a style loads {address}"
                for address in REMOTE_STYLE.findall(str(style))
            )

    def _headings(self, path: Path, page: BeautifulSoup) -> Iterator[str]:
        article = page.find("article") or page
        assert isinstance(article, Tag)
        levels = [
            int(tag.name[1]) for tag in article.find_all(re.compile("^h[1-6]$"))
        ]
        if levels[:1] != [1] or levels.count(1) != 1:
            yield f"its headings have levels {levels[:3]} ..., not one h1 in front"
        if any(
            after > before + 1 for before, after in itertools.pairwise(levels)
        ):
            yield f"a heading skips a level: {levels}"

    def _tables(self, path: Path, page: BeautifulSoup) -> Iterator[str]:
        for head in page.find_all("th"):
            if not head.get_text(strip=True):
                yield (
                    "a table has an empty head, after "
                    f"{(head.find_previous('th') or head).get_text(strip=True)!r}"
                )


def _is_loaded(tag: Tag) -> bool:
    """Whether a browser downloads what the tag refers to; a link to another page is not
    downloaded.
    """
    return tag.name != "link" or not {
        "next",
        "prev",
        "canonical",
        "index",
        "search",
    } & set(tag.get("rel") or [])
