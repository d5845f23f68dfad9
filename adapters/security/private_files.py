"""Writes files that only their owner may read, atomically and durably."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path


def write_once(path: Path, content: str) -> None:
    """Write the file unless it exists: an existing secret must not be replaced."""
    with _unfinished(path, content) as unfinished, contextlib.suppress(FileExistsError):
        os.link(unfinished, path)
    sync_folder(path.parent)


def replace(path: Path, content: str) -> None:
    """Write the file, replacing an existing one, whose owner keeps it."""
    with _unfinished(path, content) as unfinished:
        if path.exists() and (path.stat().st_uid, path.stat().st_gid) != (os.geteuid(), os.getegid()):
            os.chown(unfinished, path.stat().st_uid, path.stat().st_gid)
        unfinished.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in the folder survive a power failure."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _unfinished(path: Path, content: str) -> Iterator[Path]:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")  # mode 0600
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)
