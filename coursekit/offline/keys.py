"""API keys: the 401 for a request without a key or with a wrong one."""

from __future__ import annotations

from collections.abc import Container

from .exchange import ApiAnswer, Headers
from .rules.refusals import refuse

WHOLE = 12  # keys up to this length are not masked


def key_refusal(headers: Headers, keys: Container[str]) -> ApiAnswer | None:
    """The 401 for a request whose key is not among ``keys``, or None.

    headers  with lower-case names
    """
    scheme, _, key = headers.get("authorization", "").strip().partition(" ")
    key = key.strip()
    if scheme.lower() != "bearer" or not key:
        return refuse("no_key")
    return None if key in keys else refuse("wrong_key", key=masked(key))


def masked(key: str) -> str:
    """A key as the API repeats it: its first 8 and last 4 characters with stars between them; a
    short key is not masked.
    """
    if len(key) <= WHOLE:
        return key
    return f"{key[:8]}{'*' * (len(key) - WHOLE)}{key[-4:]}"
