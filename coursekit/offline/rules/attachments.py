"""Images and files inside a request: data URLs whose bytes are not what they say.

What only a server can see is left out: whether an address can be fetched, whether a damaged image
can be decoded.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Any

from ..exchange import ApiAnswer
from .refusals import refuse

DATA_URL = re.compile(r"data:([^;,]*)(?:;[^,]*)?,")
HEAD = 64  # characters of base64 that show what the bytes are
BASE64 = re.compile(r"[A-Za-z0-9+/]*={0,2}")
SIGNATURES = (
    b"\x89PNG",
    b"\xff\xd8\xff",
    b"GIF8",
    b"RIFF",
)  # PNG, JPEG, GIF, WebP: the formats that the API reads


def image_fault(image: str | Mapping[str, Any]) -> ApiAnswer | None:
    """What is wrong with an image part's ``image_url``: its MIME type, or its first bytes."""
    url = image if isinstance(image, str) else image["url"]
    head = DATA_URL.match(url)
    if head is None:
        return None
    if not head[1].startswith("image/"):
        return refuse("image_mime")
    data = _first_bytes(url[head.end() :])
    return refuse("image_bytes") if data and not data.startswith(SIGNATURES) else None


def file_fault(file: Mapping[str, Any], where: str) -> ApiAnswer | None:
    """What is wrong with a file part's ``file_data``: it must be a data URL of a PDF."""
    url = file.get("file_data")
    if url is None:
        return None
    head = DATA_URL.match(url)
    if head is None:
        return refuse(
            "file_data", where=where, got="a value without the 'data:' prefix"
        )
    if head[1] != "application/pdf":
        return refuse(
            "file_data", where=where, got=f"unsupported MIME type '{head[1]}'"
        )
    if not BASE64.fullmatch(url, head.end()):
        return refuse("file_data", where=where, got="an invalid base64-encoded value")
    return None


def _first_bytes(text: str) -> bytes:
    """The first bytes of base64; none where it is not base64."""
    head = text[:HEAD]
    return (
        base64.b64decode(head + "=" * (-len(head) % 4))
        if head and BASE64.fullmatch(head)
        else b""
    )
