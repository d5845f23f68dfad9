"""Patterns of LIKE for texts that people type: what is special in a pattern stands for itself."""


def beginning(key: str) -> str:
    """What begins with it."""
    return f"{_escaped(key)}%"


def containing(key: str) -> str:
    """What has it somewhere."""
    return f"%{_escaped(key)}%"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
