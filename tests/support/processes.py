"""Waiting for what other processes do, and finding them by what they hold; never a bare sleep."""

import os
import time
from collections.abc import Callable
from pathlib import Path


def wait_until(holds: Callable[[], object], seconds: float = 15.0) -> None:
    """Return as soon as the condition holds; fail when it has not within that time."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, f"still not so after {seconds} s: {holds}"
        time.sleep(0.02)


def processes(*words: str) -> dict[int, str]:
    """Living processes, by id, in whose command line, environment or working folder every word stands."""
    found = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal() and int(folder.name) != os.getpid() and _lives(folder):
            command_line = _text(folder / "cmdline")
            known = f"{command_line}\n{_text(folder / 'environ')}\n{_working_folder(folder)}"
            if command_line and all(word in known for word in words):
                found[int(folder.name)] = command_line
    return found


def _lives(folder: Path) -> bool:
    return _text(folder / "stat").rpartition(")")[2].split()[:1] not in ([], ["Z"])


def _working_folder(folder: Path) -> str:
    try:
        return str((folder / "cwd").readlink())
    except OSError:
        return ""


def _text(path: Path) -> str:
    try:
        return path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""
