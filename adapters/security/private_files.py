"""Files that only their owner may read, complete or not there at all, on the disk when they are said to be."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path


def write_once(path: Path, content: str) -> None:
    """Write the file unless it exists: what an earlier one opens would be closed for ever."""
    with _unfinished(path, content) as unfinished, contextlib.suppress(FileExistsError):
        os.link(unfinished, path)
    settle(path.parent)


def replace(path: Path, content: str) -> None:
    """Write the file, in place of one that exists."""
    with _unfinished(path, content) as unfinished:
        unfinished.replace(path)
    settle(path.parent)


def settle(folder: Path) -> None:
    """The names in the folder outlive a power failure too."""
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
