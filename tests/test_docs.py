"""Documents name modules, functions and pages that exist."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
MAX_HOPS = 6
MAX_TERMS = 10

FUNCTION = re.compile(r"`([\w/]+\.py):([\w.]+)`")
SOURCE = re.compile(r"`((?:[\w*]+/)+[\w*]+\.(?:py|sql|txt|json))[`:]")
LINK = re.compile(r"\]\((?!https?://)([^)#]+)")


def defines(module: Path, name: str) -> bool:
    """Return whether the module defines the function, or the class and its method (`Reading.at_least`)."""
    body: list[ast.stmt] = ast.parse(module.read_text()).body
    for part in name.split("."):
        found = [
            statement
            for statement in body
            if isinstance(statement, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and statement.name == part
        ]
        if not found:
            return False
        body = found[0].body
    return True


def test_every_function_of_the_walkthrough_exists() -> None:
    functions = FUNCTION.findall((ROOT / "docs/walkthrough.md").read_text())
    assert functions
    assert [f"{path}:{name}" for path, name in functions if not defines(ROOT / path, name)] == []


def test_every_walk_has_at_most_six_hops() -> None:
    _, *walks = (ROOT / "docs/walkthrough.md").read_text().split("\n## ")
    hops = {walk.splitlines()[0]: re.findall(r"^(\d)\. `[\w/]+\.py:", walk, re.MULTILINE) for walk in walks}
    assert len(hops) == 4
    assert all(numbers == [str(number + 1) for number in range(len(numbers))] for numbers in hops.values())
    assert all(0 < len(numbers) <= MAX_HOPS for numbers in hops.values())


def test_the_glossary_has_at_most_ten_terms() -> None:
    terms = [line for line in (ROOT / "docs/glossary.md").read_text().splitlines() if line.startswith("| ")][1:]
    assert 0 < len(terms) <= MAX_TERMS


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_file_that_a_document_names_exists(document: Path) -> None:
    text = document.read_text()
    assert [name for name in SOURCE.findall(text) if not any(ROOT.glob(name))] == []
    assert [name for name in LINK.findall(text) if not (document.parent / name).exists()] == []
