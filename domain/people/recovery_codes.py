"""Recovery codes, each of which replaces a TOTP code once (rulings K30 and K119)."""

import secrets

from domain.core.codes import BITS_PER_CHARACTER, code_of

NUMBER = 10
GROUPS, GROUP_LENGTH = 3, 5


def new_recovery_codes() -> list[str]:
    """Return random codes of 75 bits each. They are shown once; only their hashes are stored."""
    bits = GROUPS * GROUP_LENGTH * BITS_PER_CHARACTER
    return [code_of(secrets.randbits(bits), GROUPS, GROUP_LENGTH).lower() for _ in range(NUMBER)]
