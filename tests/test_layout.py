"""The map in the README is true: imports point inwards, and one name means one thing in every layer."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
LAYERS = ("domain", "projections", "adapters", "api", "workers", "migrations")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for layer in LAYERS:
        shutil.copytree(PROJECT / layer, tmp_path / layer, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(PROJECT / "pyproject.toml", tmp_path)
    return tmp_path


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as lint; lint()", "--no-cache"],
        cwd=folder, env={"PYTHONPATH": str(folder)}, check=False, capture_output=True, text=True,
    )  # fmt: skip


def test_imports_point_inwards(copy: Path) -> None:
    done = lint_imports(copy)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("layer", "planted"),
    [
        ("domain", "projections.core.projection"),
        ("domain", "psycopg"),
        ("domain", "fastapi"),
        ("projections", "adapters.settings"),
        ("adapters", "projections.core.projection"),
        ("projections", "api.edge.errors"),
        ("workers", "api.edge.errors"),
    ],
)
def test_a_wrong_import_is_caught(copy: Path, layer: str, planted: str) -> None:
    (copy / layer / "planted.py").write_text(f"import {planted}\n")
    done = lint_imports(copy)
    assert done.returncode == 1
    assert f"{layer}.planted -> {planted}" in done.stdout


def test_a_resource_stands_in_one_context_in_every_layer() -> None:
    """A router's rule or read model has the same name in the same folder; ways to a session belong to sessions."""
    elsewhere = {"sessions/internal_auth.py": "sessions/service_accounts.py", "groups/people.py": "groups/rosters.py"}
    routers = {
        f"{path.parent.name}/{path.name}"
        for path in (PROJECT / "api").glob("*/*.py")
        if "= contract_router(" in path.read_text() and path.parent.name != "edge"
    }
    resources = {elsewhere.get(name, name) for name in routers}
    rooms = {
        f"{path.parent.name}/{path.name}"
        for layer in ("domain", "projections")
        for path in (PROJECT / layer).glob("*/*.py")
    }
    assert resources - rooms == set()


def test_a_name_stands_in_one_context_only() -> None:
    """Of a resource: what all layers share, and what each layer calls its own parts, may be anywhere."""
    contexts: dict[str, set[str]] = {}
    own = {"__init__", "commands", "access", "lists", "moves"}
    for layer in ("domain", "projections", "api", "api/documents"):
        for path in (PROJECT / layer).glob("*/*.py"):
            if path.stem not in own and path.parent.name not in {"core", "edge"}:
                contexts.setdefault(path.stem, set()).add(path.parent.name)
    assert {name: found for name, found in contexts.items() if len(found) > 1} == {}


def test_no_file_repeats_the_name_of_its_folder() -> None:
    for path in (each for layer in LAYERS for each in (PROJECT / layer).rglob("*.py")):
        folder = path.parent.name
        assert not path.stem.startswith((f"{folder}_", f"{folder.removesuffix('s')}_")), path


def test_sql_folds_no_text() -> None:
    """What lower() makes of a text depends on the server's collation; the domain folds texts (ruling O5)."""
    folding = re.compile(
        r"\b(?:lower|upper|initcap|casefold)\s*\(|\bi?like\b.*\blower\b|\bilike\b|\bcitext\b|~\*", re.IGNORECASE
    )
    sources = [path for layer in LAYERS[1:] for path in (PROJECT / layer).rglob("*") if path.suffix in {".py", ".sql"}]
    found = [
        f"{path.relative_to(PROJECT)}: {line.strip()}"
        for path in sources
        if path.name != "0008_jobs.sql"  # procrastinate's own, which holds no text of people
        for line in path.read_text().splitlines()
        if folding.search(re.sub(r"\.\w+\(|--.*|#.*", "", line))
    ]
    assert found == []
