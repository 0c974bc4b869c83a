"""API keys: the 401 for a request without one, or with a wrong one."""

from __future__ import annotations

from collections.abc import Container, Mapping

from .exchange import ApiAnswer
from .rules import refusals

KEYS_PAGE = "https://platform.openai.com/account/api-keys"
NO_KEY = (
    "You didn't provide an API key. You need to provide your API key in an Authorization header "
    "using Bearer auth "
    "(i.e. Authorization: Bearer YOUR_KEY), or as the password field (with blank username) if "
    "you're accessing the API "
    "from your browser and are prompted for a username and password. You can obtain an API key "
    f"from {KEYS_PAGE}."
)
WHOLE = 12  # keys up to this length are not masked


def key_refusal(headers: Mapping[str, str], keys: Container[str]) -> ApiAnswer | None:
    """The 401 for a request whose key is not among ``keys``, or None.

    headers  with lower-case names
    """
    scheme, _, key = headers.get("authorization", "").strip().partition(" ")
    key = key.strip()
    if scheme.lower() != "bearer" or not key:
        return refusals.refusal(NO_KEY, status=401)
    if key in keys:
        return None
    text = f"Incorrect API key provided: {masked(key)}. You can find your API key at {KEYS_PAGE}."
    return refusals.refusal(text, code="invalid_api_key", status=401)


def masked(key: str) -> str:
    """A key as the API repeats it: the first 8 and last 4 characters, a star for each between;
    short ones whole.
    """
    return (
        key if len(key) <= WHOLE else f"{key[:8]}{'*' * (len(key) - WHOLE)}{key[-4:]}"
    )
