"""Names of learners: what may be one, and which two look alike."""

from __future__ import annotations

import unicodedata

from ..exchange import error_answer
from .refused import Refusal

LONGEST = 40  # characters of a name
# within Persian and Indian words, and between the people of a family emoji
JOINERS = "\u200c\u200d"
BLANK = "\u115f\u1160\u3164\uffa0\u2800"  # letters and symbols without ink
EMOJI = range(0x1F000, 0x1FB00)  # Python's tables may be older than an emoji
# the letters within the flags of England, Scotland and Wales
FLAG_TAGS = range(0xE0020, 0xE0080)
# words that the console uses for others
RESERVED = {
    "all",
    "class",
    "everybody",
    "everyone",
    "nobody",
    "teacher",
}


class NameRefused(Refusal):
    """A name that cannot be used, or a class that is full; the message says what to do."""

    def __init__(self, message: str) -> None:
        super().__init__(error_answer(400, message, code="cannot_join"))


def plain(wanted: object) -> str:
    """The name in its stored form: single spaces, only visible characters. Raises NameRefused."""
    if not isinstance(wanted, str):
        raise NameRefused('Send JSON like {"name": "Ada"}.')
    name = " ".join(unicodedata.normalize("NFC", wanted).split())
    if not 0 < len(name) <= LONGEST:
        raise NameRefused(
            f"A name has 1 to {LONGEST} characters; this one has {len(name)}."
        )
    if (
        not all(map(_is_allowed, name))
        or not _ink(name)
        or name[0] in JOINERS
        or name[-1] in JOINERS
    ):
        raise NameRefused(
            "A name may contain only visible characters; this one has others."
        )
    if alike(name) in RESERVED:
        raise NameRefused(
            f"{name!r} would be mistaken for somebody else on the teacher's console. Choose "
            "another name."
        )
    return name


def alike(name: str) -> str:
    """The same text for names that look the same: case, width, and joiners do not distinguish
    people.
    """
    folded = unicodedata.normalize("NFKC", name).casefold()
    return "".join(
        character
        for character in folded
        if unicodedata.category(character) != "Cf"
    )


def _is_allowed(character: str) -> bool:
    if character in BLANK:
        return False
    if (
        character in JOINERS
        or ord(character) in EMOJI
        or ord(character) in FLAG_TAGS
    ):
        return True
    # controls, also of direction
    return not unicodedata.category(character).startswith("C")


def _ink(name: str) -> bool:
    """Whether anything in it can be seen: combining marks alone cannot."""
    return any(
        unicodedata.category(character)[0] not in "MCZ"
        or ord(character) in EMOJI
        for character in name
    )
