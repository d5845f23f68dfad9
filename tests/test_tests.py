"""Tests are named in plain sentences and replace no constant of the product."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).parent
MAX_WORDS = 12
RIDDLES = {"anybody", "everybody", "he", "him", "himself", "his", "nobody", "somebody", "whatever", "whoever", "whom"}
"""Words that do not name the person or thing that the sentence is about."""
CONSTANT = re.compile(r"""monkeypatch\.setattr\([^)]*["'.][A-Z][A-Z_]+["']""")


def names() -> Iterator[str]:
    for path in TESTS.rglob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                yield node.name


def test_names_have_at_most_twelve_words() -> None:
    assert [name for name in names() if len(name.split("_")) - 1 > MAX_WORDS] == []


def test_names_name_their_subject() -> None:
    assert [name for name in names() if RIDDLES & set(name.split("_"))] == []


def test_no_test_replaces_a_constant() -> None:
    assert [path.name for path in TESTS.rglob("*.py") if CONSTANT.search(path.read_text())] == []
