"""Which class this machine's learner has joined: the class server's address, and the learner's key
for it.

COURSEKIT_BASE_URL    the address of a class server, with or without /v1
COURSEKIT_CLASS_KEY   the key, if something else joined for the learner, such as a hub
COURSEKIT_CLASS_SHARE "yes": in that case, chapter, checks, and quiz answers are shared with the
                      teacher
COURSEKIT_MEMBERSHIP  the file in which ``join()`` keeps the membership; "off": nothing is read or
                      written (as in tests); not set: in the user's data folder
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .foundation.files import DAMAGED_JSON, write_atomically
from .settings import ModeError, settings, user_file

SETTING = "COURSEKIT_MEMBERSHIP"
ADDRESS, KEY, SHARE = (
    "COURSEKIT_BASE_URL",
    "COURSEKIT_CLASS_KEY",
    "COURSEKIT_CLASS_SHARE",
)
# of keys that class servers issue: no other key is sent to one, and no paid API accepts these
KEY_PREFIX = "ck-class-"

SHARED = (
    "Your teacher sees which chapter is open, which checks you tried and passed, and your quiz "
    "answers. "
    "To stop sharing, run join(..., share=False)."
)


@dataclass(frozen=True, slots=True)
class Membership:
    """The server's ``url`` without /v1, the learner's ``key`` and (if known) ``name`` on it, and
    ``share``: whether the teacher sees what they do. Raises ModeError for a key that was not issued
    by a class server."""

    url: str
    key: str
    name: str = ""
    share: bool = False

    def __post_init__(self) -> None:
        if not self.key.startswith(KEY_PREFIX):
            raise ModeError(
                "The key for the class server was not issued by a class server (those keys "
                f"begin with {KEY_PREFIX}). Nothing was sent.\n"
                f'Remove {KEY}, and join: from coursekit import join; join("NAME").'
            )

    def __repr__(self) -> str:
        # never the key
        return f"Membership(url={self.url!r}, name={self.name!r}, share={self.share})"

    def __str__(self) -> str:
        name = f" as {self.name}" if self.name else ""
        shown = f" {SHARED}" if self.share else ""
        return (
            f"You are in the class at {self.url}{name}. From now on, connect() sends your "
            f"requests to its server.{shown}"
        )


def membership(env: Mapping[str, str] | None = None) -> Membership | None:
    """Return the membership that applies; None if there is none. An address in the settings
    overrides a class that was joined elsewhere.
    """
    env = settings() if env is None else env
    address, joined = env.get(ADDRESS) or "", _read(place(env))
    if address and env.get(KEY):
        shares = env.get(SHARE, "").lower() in {"yes", "true", "1"}
        if joined is not None and joined.key == env[KEY]:
            # the learner's own choice overrides the teacher's
            shares = joined.share
        return Membership(server_of(address), env[KEY], share=shares)
    if joined is None or (address and joined.url != server_of(address)):
        return None
    return joined


def keep(joined: Membership) -> bool:
    """Save it for all notebooks. Returns False if that is switched off. Raises OSError."""
    path = place()
    if path is None:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    _write(path, asdict(joined))
    return True


def forget() -> Membership | None:
    """Leave the class; return the membership that applied, or None if there was none. Raises
    OSError.

    The key stays in the file, marked as left, so that a learner who returns is recognized.
    """
    path = place()
    earlier = _read(path)
    if path is not None and earlier is not None:
        _write(path, {**asdict(earlier), "left": True})
    return earlier


def left(server: str, name: str | None) -> Membership | None:
    """Return the membership at this server that was left, if it was under this name (None: any
    name).
    """
    earlier = _read(place(), left=True)
    if earlier is None or earlier.url != server:
        return None
    # "Ada 2", if the name was taken
    names = {earlier.name, re.sub(r" \d+$", "", earlier.name)}
    if name is None or " ".join(name.split()).casefold() in map(
        str.casefold, names
    ):
        return earlier
    return None


def place(env: Mapping[str, str] | None = None) -> Path | None:
    """Return the membership's file; None if saving is switched off."""
    return user_file(
        "membership.json", (settings() if env is None else env).get(SETTING)
    )


def server_of(address: str) -> str:
    """Return a class server's base address: "http://10.0.0.5:8000" also if the address has /v1 or a
    slash at its end, or lacks http://.

    Raises ModeError for the address of the real API, which is not a class server.
    """
    from urllib.parse import urlsplit

    whole = address.strip() if "://" in address else f"http://{address.strip()}"
    parts = urlsplit(whole)
    host = parts.hostname or ""
    if (
        parts.scheme not in ("http", "https")
        or not host
        or host.endswith(".openai.com")
    ):
        raise ModeError(
            f"{address!r:.100} is not the address of a class server. Nothing was sent.\n"
            "Use the one that your teacher gives you, such as http://192.168.1.5:8000."
        )
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/').removesuffix('/v1').rstrip('/')}"


def _write(path: Path, fields: Mapping[str, Any]) -> None:
    text = json.dumps(fields, indent=2) + "\n"
    write_atomically(path, text, mode=0o600)


def _read(path: Path | None, *, left: bool = False) -> Membership | None:
    try:
        value = json.loads(path.read_text(encoding="utf-8")) if path else None
        if not value or bool(value.get("left")) is not left:
            return None
        url, key, name = value["url"], value["key"], str(value["name"])
        return Membership(url, key, name, value["share"] is True)
    except (OSError, *DAMAGED_JSON):
        return None  # a damaged file counts as not joined; joining again rewrites it
