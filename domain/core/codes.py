"""Codes that people type: their alphabet, and how they are compared (ruling K30)."""

import hashlib
import unicodedata

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base32: no letter looks like a digit or another letter."""
BITS_PER_CHARACTER = 5
_READ_AS = str.maketrans({"I": "1", "L": "1", "O": "0"})


def code_of(number: int, groups: int, group_length: int) -> str:
    """Return the lowest bits of a number as groups of characters with hyphens between them."""
    length = groups * group_length
    shifts = range((length - 1) * BITS_PER_CHARACTER, -1, -BITS_PER_CHARACTER)
    text = "".join(ALPHABET[number >> shift & 31] for shift in shifts)
    return "-".join(text[start : start + group_length] for start in range(0, length, group_length))


def bare_code(typed: str) -> str:
    """Return a typed code without blanks and hyphens of any kind, which people copy from messages with the code."""
    return "".join(each for each in typed if not each.isspace() and unicodedata.category(each) != "Pd")


def hash_of_code(code: str) -> str:
    """Return the hash of a code as it was typed; blanks, hyphens and case are ignored."""
    return hashlib.sha256(bare_code(code).upper().translate(_READ_AS).encode()).hexdigest()
