"""Images and files inside a request: data URLs with the wrong type, or the wrong bytes.

What only a server can check is left out: whether an address can be fetched, whether a damaged image
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
HEAD = 64  # characters of base64 that are enough for a signature
BASE64 = re.compile(r"[A-Za-z0-9+/]*={0,2}")
# Of PNG, JPEG, GIF and WebP, the formats that the API reads.
SIGNATURES = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"RIFF")


def image_fault(image: str | Mapping[str, Any]) -> ApiAnswer | None:
    """The refusal of an image part's ``image_url``, for its MIME type or its first bytes."""
    url = image if isinstance(image, str) else image["url"]
    head = DATA_URL.match(url)
    if head is None:
        return None
    if not head[1].startswith("image/"):
        return refuse("image_mime")
    data = _first_bytes(url[head.end() :])
    return (
        refuse("image_bytes")
        if data and not data.startswith(SIGNATURES)
        else None
    )


def file_fault(file: Mapping[str, Any], where: str) -> ApiAnswer | None:
    """The refusal of a file part's ``file_data`` that is not a data URL of a PDF."""
    url = file.get("file_data")
    if url is None:
        return None
    head = DATA_URL.match(url)
    if head is None:
        got = "a value without the 'data:' prefix"
    elif head[1] != "application/pdf":
        got = f"unsupported MIME type '{head[1]}'"
    elif not BASE64.fullmatch(url, head.end()):
        got = "an invalid base64-encoded value"
    else:
        return None
    return refuse("file_data", where=where, got=got)


def _first_bytes(text: str) -> bytes:
    """The first bytes of base64; none if it is not base64."""
    head = text[:HEAD]
    if not BASE64.fullmatch(head):
        return b""
    return base64.b64decode(head + "=" * (-len(head) % 4))
