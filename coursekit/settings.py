"""Settings: COURSEKIT_* and the SDK's OPENAI_*, from the process's environment or from a .env file.

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
    """What answers a client, and what an answer costs. A learner can request the first three by
    name.
    """

    REPLAY = "replay"
    LIVE = "live"
    RECORD = "record"
    CLASS = "class"  # used instead of replay while the learner is in a class

    @property
    def costs(self) -> str:
        """What a call costs in this mode, in one line."""
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
# A project's top folder contains one of these.
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
    """The mode does not exist, or conflicts with the other settings; nothing was sent."""


class MissingKey(RuntimeError):
    """The mode calls the real API, but there is no key; nothing was sent."""


def settings() -> Mapping[str, str]:
    """Return the current settings by variable name. The environment takes precedence over .env.

    The browser edition does not read a .env: looking for a file takes 6 ms there, and a key in the
    page's storage is not safe.
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
    """Return the path of the .env in this folder, or in a folder above it within the same course or
    project.

    A file farther up belongs to something else: a COURSEKIT_MODE=live in it must not spend money
    here. A learner's copy within a clone of the course uses the clone's .env.
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
    """Decode a .env in any encoding that editors use: UTF-8 with or without a byte-order mark,
    UTF-16, or Latin-1.
    """
    raw = path.read_bytes()
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return raw.decode("utf-16")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def user_folder() -> Path:
    """Return the folder for the user's own data on this machine, which is never in the repository
    and may not exist yet.
    """
    from platformdirs import user_data_path

    if IN_BROWSER:
        return STORAGE / ".coursekit"
    return user_data_path("coursekit", appauthor=False)


def cache_folder() -> Path:
    """Return the folder for the user's data that can be downloaded again. It may not exist yet."""
    from platformdirs import user_cache_path

    return user_cache_path("coursekit", appauthor=False)


def user_file(name: str, chosen: str | None = None) -> Path | None:
    """Return the path of one of the user's files.

    name    the file's name in the user's folder
    chosen  another path for the file, from the settings; "off": the file is not used, and None is
            returned
    """
    if (chosen or "").lower() == "off":
        return None
    return Path(chosen).expanduser() if chosen else user_folder() / name


def mode_of(given: str | None, from_settings: Mapping[str, str]) -> Mode:
    """The mode: the argument, or COURSEKIT_MODE, or "replay". Raises ModeError.

    A key on its own never switches on a mode that spends money.
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
        '"record" (the real API, costs money, and its answers are saved for replay).'
    )


def today_of(from_settings: Mapping[str, str]) -> datetime.date:
    """Return the day (UTC) that decides which models are shut down: COURSEKIT_TODAY (such as
    2027-02-01), or else today. Raises ModeError.
    """
    day = from_settings.get("COURSEKIT_TODAY")
    if not day:
        return datetime.datetime.now(datetime.UTC).date()
    try:
        return datetime.date.fromisoformat(day)
    except ValueError:
        raise ModeError(
            f"COURSEKIT_TODAY={day} is not a valid date. Write it like 2027-02-01, or "
            "remove it to use today's date."
        ) from None


def role_model(role: str, from_settings: Mapping[str, str]) -> str | None:
    """Return the model that the settings assign to a role: for "CHAT", COURSEKIT_CHAT or else
    COURSEKIT_MODEL; None: neither is set.
    """
    model = from_settings.get(f"COURSEKIT_{role}")
    model = model or from_settings.get("COURSEKIT_MODEL") or ""
    return model.strip() or None


def sdk_options(
    given: Mapping[str, Any], from_settings: Mapping[str, str]
) -> dict[str, Any]:
    """Return arguments for the SDK's client: the given ones, and those from a .env, which the SDK
    itself does not read.

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
    """Parse OPENAI_CUSTOM_HEADERS as the SDK does: "Name: value" on each line."""
    pairs = (line.partition(":") for line in lines.splitlines())
    return {
        name.strip(): value.strip() for name, colon, value in pairs if colon
    }


def odd_character(key: str) -> str | None:
    """Return the name and position of a character that an HTTP header cannot carry or that a key
    never has; None: there is none. The result never contains the key.
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
    """Return the API key for live and record mode. Raises MissingKey."""
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
