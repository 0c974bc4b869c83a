"""Images and files in a request: data URLs with a wrong type or wrong bytes.

What only a server can check is left out: whether an address can be fetched, or a damaged image
decoded.
"""

from __future__ import annotations

import base64
import re

from ..exchange import Json
from .refusals import Refused

DATA_URL = re.compile(r"data:([^;,]*)(?:;[^,]*)?,")
HEAD = 64  # characters of base64 that contain the signature
BASE64 = re.compile(r"[A-Za-z0-9+/]*={0,2}")
# Of PNG, JPEG, GIF and WebP, which the API accepts.
SIGNATURES = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"RIFF")


def check_image(image: str | Json) -> None:
    """Refuses an image part's ``image_url`` for its MIME type or its first bytes."""
    url = image if isinstance(image, str) else image["url"]
    head = DATA_URL.match(url)
    if head is None:
        return
    if not head[1].startswith("image/"):
        raise Refused("image_mime")
    start = url[head.end() :][:HEAD]
    if not BASE64.fullmatch(start):
        return
    data = base64.b64decode(start + "=" * (-len(start) % 4))
    if data and not data.startswith(SIGNATURES):
        raise Refused("image_bytes")


def check_file(file: Json, where: str) -> None:
    """Refuses a file part's ``file_data`` that is not a data URL of a PDF."""
    url = file.get("file_data")
    if url is None:
        return
    head = DATA_URL.match(url)
    if head is None:
        got = "a value without the 'data:' prefix"
    elif head[1] != "application/pdf":
        got = f"unsupported MIME type '{head[1]}'"
    elif not BASE64.fullmatch(url, head.end()):
        got = "an invalid base64-encoded value"
    else:
        return
    raise Refused("file_data", where=where, got=got)
