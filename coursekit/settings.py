"""Settings from the environment: COURSEKIT_* and the SDK's OPENAI_*, from the process or from a
.env file.

An environment variable overrides the same name in .env. Nothing is written back into the
environment, so a key in .env reaches only the client. Taught in 00, "Three modes".
"""

from __future__ import annotations

import codecs
import datetime
import difflib
import io
import os
import unicodedata
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

from .foundation.platform import IN_BROWSER, STORAGE

SHOWN_COSTS = "costs shown are what the same calls would cost live"


class Mode(StrEnum):
    """What answers a client, and what that costs. A learner can request the first three by name."""

    REPLAY = "replay"
    LIVE = "live"
    RECORD = "record"
    CLASS = "class"  # replaces replay while the learner is in a class

    @property
    def costs(self) -> str:
        """One line for receipts."""
        return {
            Mode.REPLAY: f"nothing is spent; {SHOWN_COSTS}",
            Mode.LIVE: "the real API, costs are real",
            Mode.RECORD: "the real API, costs are real, answers are saved for replay",
            Mode.CLASS: f"the class server answers, nothing is spent, {SHOWN_COSTS}",
        }[self]

    @property
    def is_free(self) -> bool:
        return self in (Mode.REPLAY, Mode.CLASS)


MODES = (Mode.REPLAY, Mode.LIVE, Mode.RECORD)
FIRST_NOTEBOOK = "notebooks/00_start_here.ipynb"
# One of these is in a project's top folder.
PROJECT = (".git", "pyproject.toml", FIRST_NOTEBOOK)
# What the SDK reads from the process's environment when it creates a client, and the argument for
# the same value.
SDK_OPTIONS = {
    "OPENAI_BASE_URL": "base_url",
    "OPENAI_ORG_ID": "organization",
    "OPENAI_PROJECT_ID": "project",
    "OPENAI_ADMIN_KEY": "admin_api_key",
    "OPENAI_WEBHOOK_SECRET": "webhook_secret",
    "OPENAI_CUSTOM_HEADERS": "default_headers",
}


class ModeError(ValueError):
    """A mode that does not exist, or that cannot work with the other settings; nothing was sent."""


class MissingKey(RuntimeError):
    """A mode that calls the real API, without a key; nothing was sent."""


def settings() -> Mapping[str, str]:
    """The settings in force, by the name of their variable: the environment's, then those of .env.

    The browser edition has no .env: a look for a file takes 6 ms there, and a key in the page's
    storage is not safe.
    """
    from dotenv import dotenv_values

    disabled = os.environ.get("PYTHON_DOTENV_DISABLED")  # dotenv's own switch
    found = None if disabled or IN_BROWSER else _env_file(Path.cwd())
    if found is None:
        return {**os.environ}
    text = io.StringIO(_decoded(found), newline=None)
    from_file = dotenv_values(stream=text).items()
    given = {name: value for name, value in from_file if value is not None}
    return {**given, **os.environ}


def _env_file(here: Path) -> Path | None:
    """The .env of this folder, or of one above it within the same course or project.

    A file further up belongs to something else: its COURSEKIT_MODE=live must not spend money here.
    A learner's copy within a clone of the course takes the clone's.
    """
    folders = [here, *here.parents]
    tops = (f for f in folders if any((f / mark).exists() for mark in PROJECT))
    top = next(tops, here)
    if (top.parent / FIRST_NOTEBOOK).exists():
        top = top.parent
    within = folders[: folders.index(top) + 1]
    found = (f / ".env" for f in within if (f / ".env").is_file())
    return next(found, None)


def _decoded(path: Path) -> str:
    """The text of a .env, as editors write it: UTF-8, with a byte-order mark or without, UTF-16, or
    Latin-1.
    """
    raw = path.read_bytes()
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return raw.decode("utf-16")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def user_folder() -> Path:
    """The folder for this machine's user's own data, never in the repository. It need not exist."""
    from platformdirs import user_data_path

    if IN_BROWSER:
        return STORAGE / ".coursekit"
    return user_data_path("coursekit", appauthor=False)


def cache_folder() -> Path:
    """The folder for this machine's user's data that can be downloaded again. It need not exist."""
    from platformdirs import user_cache_path

    return user_cache_path("coursekit", appauthor=False)


def user_file(name: str, chosen: str | None = None) -> Path | None:
    """Where one of the user's files is.

    name    of the file in the user's folder
    chosen  another path that the settings give for it; "off": there is no such file, and None is
            returned
    """
    if (chosen or "").lower() == "off":
        return None
    return Path(chosen).expanduser() if chosen else user_folder() / name


def mode_of(given: str | None, from_settings: Mapping[str, str]) -> Mode:
    """The mode: the argument, or COURSEKIT_MODE, or "replay". Raises ModeError.

    A key alone never switches on a mode that spends money.
    """
    if given is None:
        mode = from_settings.get("COURSEKIT_MODE") or "replay"
        where = f"COURSEKIT_MODE={mode}"
    else:
        mode, where = given, f"mode={given!r}"
    if mode in MODES:
        return Mode(mode)
    close = difflib.get_close_matches(str(mode).lower(), MODES, n=1, cutoff=0.5)
    meant = f' Did you mean "{close[0]}"?' if close else ""
    raise ModeError(
        f"{where} is not a mode, so nothing was sent.{meant}\n"
        'The modes: "replay" (recorded answers, costs nothing), "live" (the real API, costs '
        "money),\n"
        '"record" (the real API, costs money, and its answers are kept for replay).'
    )


def today_of(from_settings: Mapping[str, str]) -> datetime.date:
    """The day (UTC) by which models count as shut down: COURSEKIT_TODAY (2027-02-01), else today.
    Raises ModeError.
    """
    day = from_settings.get("COURSEKIT_TODAY")
    if not day:
        return datetime.datetime.now(datetime.UTC).date()
    try:
        return datetime.date.fromisoformat(day)
    except ValueError:
        raise ModeError(
            f"COURSEKIT_TODAY={day} is not a day. Write it as 2027-02-01, or leave it out to go by "
            "the clock."
        ) from None


def role_model(role: str, from_settings: Mapping[str, str]) -> str | None:
    """The model that the settings give a role, such as "CHAT": COURSEKIT_CHAT, else
    COURSEKIT_MODEL; None: neither.
    """
    model = from_settings.get(f"COURSEKIT_{role}")
    model = model or from_settings.get("COURSEKIT_MODEL") or ""
    return model.strip() or None


def sdk_options(
    given: Mapping[str, Any], from_settings: Mapping[str, str]
) -> dict[str, Any]:
    """Arguments for the SDK's client: those given, and those from a .env, which the SDK itself does
    not read.

    Otherwise, the key in a .env would go to OpenAI even if the OPENAI_BASE_URL beside it names
    another server.
    """
    found: dict[str, Any] = {}
    for variable, option in SDK_OPTIONS.items():
        value = from_settings.get(variable, "").strip()
        if value and given.get(option) is None and variable not in os.environ:
            found[option] = (
                _headers(value) if option == "default_headers" else value
            )
    return {**given, **found}


def _headers(lines: str) -> dict[str, str]:
    """OPENAI_CUSTOM_HEADERS as the SDK reads it: "Name: value" on each line."""
    pairs = (line.partition(":") for line in lines.splitlines())
    return {
        name.strip(): value.strip() for name, colon, value in pairs if colon
    }


def odd_character(key: str) -> str | None:
    """The name and position of a character that an HTTP header cannot carry or that a key never
    has; None: there is none. Never contains the key.
    """
    for place, character in enumerate(key, 1):
        quote = character in "\"'`" and place in (1, len(key))
        if quote or not "!" <= character <= "~":
            name = (
                unicodedata.name(character, "").lower()
                or f"a control character (U+{ord(character):04X})"
            )
            return f"{name} at position {place} of {len(key)}"
    return None


def key_of(
    mode: str, given: str | None, from_settings: Mapping[str, str]
) -> str:
    """The API key for live and record mode. Raises MissingKey."""
    key = (given or from_settings.get("OPENAI_API_KEY") or "").strip()
    if key:
        if (odd := odd_character(key)) is not None:
            raise MissingKey(
                f"The API key contains {odd}, which cannot be part of a key. Nothing was sent.\n"
                "Copy the key into .env again, with nothing around it: OPENAI_API_KEY=…"
            )
        return key
    raise MissingKey(
        f'mode="{mode}" calls the real API, but there is no API key. Nothing was sent.\n'
        "Put a line OPENAI_API_KEY=… into a file named .env next to the README (copy "
        ".env.example),\n"
        'or work without a key and at no cost: connect(mode="replay").'
    )
