"""Patterns of LIKE for texts that people type: what is special in a pattern stands for itself."""


def beginning(key: str) -> str:
    """Return the pattern of texts that begin with the key."""
    return f"{_escaped(key)}%"


def containing(key: str) -> str:
    """Return the pattern of texts that have the key somewhere."""
    return f"%{_escaped(key)}%"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
