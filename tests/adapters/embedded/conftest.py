import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that the user who runs servers for root can reach, unlike pytest's own."""
    made = Path(tempfile.mkdtemp(prefix="rb-"))
    made.chmod(0o711)
    yield made
    shutil.rmtree(made)
