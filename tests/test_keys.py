"""API keys: which requests get a 401, and that it never shows all of a key with more than twelve
characters.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coursekit.offline.keys import key_refusal, masked
from support.refused import error_of

KEYS = {"sk-class-0001"}


def test_a_known_key_is_let_in() -> None:
    """A request with one of the keys is not refused, in whatever case the scheme is written."""
    assert key_refusal({"authorization": "Bearer sk-class-0001"}, KEYS) is None
    assert (
        key_refusal({"authorization": "bearer  sk-class-0001 "}, KEYS) is None
    )


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer ", "Basic c2s6"]
)
def test_a_request_without_a_key_is_told_where_to_put_it(
    header: str | None,
) -> None:
    """Without a Bearer key in the header, the answer is a 401 without a code."""
    answer = key_refusal(
        {} if header is None else {"authorization": header}, KEYS
    )
    error = error_of(answer)
    assert answer is not None
    assert answer.status == 401
    assert error["message"] == (
        "You didn't provide an API key. You need to provide your API key in an Authorization "
        "header using Bearer auth "
        "(i.e. Authorization: Bearer YOUR_KEY), or as the password field (with blank username) if "
        "you're accessing the "
        "API from your browser and are prompted for a username and password. You can obtain an "
        "API key from "
        "https://platform.openai.com/account/api-keys."
    )
    assert (error["type"], error["param"], error["code"]) == (
        "invalid_request_error",
        None,
        None,
    )


@pytest.mark.parametrize(
    ("key", "shown"),
    [
        ("DEADBEEF", "DEADBEEF"),
        ("test_api_key", "test_api_key"),
        ("test_openai_api_key", "test_ope*******_key"),
        ("bad-key-for-the-a-test", "bad-key-**********test"),
    ],
)
def test_a_wrong_key_is_repeated_in_part(key: str, shown: str) -> None:
    """Keys of up to 12 characters are shown in full, and longer ones with stars in the middle."""
    answer = key_refusal({"authorization": f"Bearer {key}"}, KEYS)
    error = error_of(answer)
    assert answer is not None
    assert answer.status == 401
    assert error["message"] == (
        f"Incorrect API key provided: {shown}. You can find your API key at "
        "https://platform.openai.com/account/api-keys."
    )
    assert (error["type"], error["param"], error["code"]) == (
        "invalid_request_error",
        None,
        "invalid_api_key",
    )


@given(st.text(min_size=13))
def test_the_middle_of_a_long_key_is_never_shown(key: str) -> None:
    """A longer key keeps 12 characters and its length."""
    assert len(masked(key)) == len(key)
    assert masked(key)[8:-4] == "*" * (len(key) - 12)
