"""Becoming an ordinary user in the tests of root, wherever the interpreter and the project stand."""

import os
import shutil
import subprocess
import sys

import pytest

from adapters.embedded.account import Account

only_root = pytest.mark.skipif(
    os.geteuid() != 0, reason="only root can become another user; the other tests run as one"
)


def as_(account: Account) -> list[str]:
    """Words before a command that make this user run it.

    They may read everything, because Python is often installed where only root reads; they write only own files.
    """
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        pytest.skip("setpriv is not here")
    reading = ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
    words = [setpriv, f"--reuid={account.uid}", f"--regid={account.gid}", "--clear-groups", *reading, "--"]
    if subprocess.run([*words, sys.executable, "-c", ""], check=False, capture_output=True).returncode:
        pytest.skip("this root may not hand on the right to read everything")
    return words
