"""The layout holds: imports point inwards, and a resource has one name and one context in every layer."""

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
    result = lint_imports(copy)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(
    ("layer", "imported"),
    [
        ("domain", "projections.core.projection"),
        ("domain", "psycopg"),
        ("domain", "fastapi"),
        ("projections", "adapters.settings"),
        ("adapters", "projections.core.projection"),
        ("projections", "api.edge.errors"),
        ("workers", "api.edge.errors"),
        ("domain.core", "domain.groups.rosters"),
        ("projections.core", "projections.groups.groups"),
        ("api.edge", "api.groups.groups"),
    ],
)
def test_an_import_that_points_outwards_is_reported(copy: Path, layer: str, imported: str) -> None:
    (copy / layer.replace(".", "/") / "outward.py").write_text(f"import {imported}\n")
    result = lint_imports(copy)
    assert result.returncode == 1
    assert f"{layer}.outward -> {imported}" in result.stdout


def test_a_resource_stands_in_one_context_in_every_layer() -> None:
    """Every router has a rule or a read model with the same file name in the same context.

    `elsewhere` maps two routers to the file that has their rule.
    """
    elsewhere = {"sessions/internal_auth.py": "sessions/service_accounts.py", "groups/people.py": "groups/rosters.py"}
    routers = {
        f"{path.parent.name}/{path.name}"
        for path in (PROJECT / "api").glob("*/*.py")
        if "= contract_router(" in path.read_text() and path.parent.name != "edge"
    }
    resources = {elsewhere.get(name, name) for name in routers}
    modules = {
        f"{path.parent.name}/{path.name}"
        for layer in ("domain", "projections")
        for path in (PROJECT / layer).glob("*/*.py")
    }
    assert resources - modules == set()


def test_a_file_name_belongs_to_one_context() -> None:
    """File names of resources only: `own` are names that each context may use for its own parts."""
    contexts: dict[str, set[str]] = {}
    own = {"__init__", "commands", "access", "lists", "moves", "rendering"}
    for layer in ("domain", "projections", "api", "api/documents"):
        for path in (PROJECT / layer).glob("*/*.py"):
            if path.stem not in own and path.parent.name not in {"core", "edge"}:
                contexts.setdefault(path.stem, set()).add(path.parent.name)
    assert {name: found for name, found in contexts.items() if len(found) > 1} == {}


def test_no_file_repeats_the_name_of_its_folder() -> None:
    for path in (file for layer in LAYERS for file in (PROJECT / layer).rglob("*.py")):
        folder = path.parent.name
        assert not path.stem.startswith((f"{folder}_", f"{folder.removesuffix('s')}_")), path


def test_sql_folds_no_text() -> None:
    """The result of lower() depends on the collation of the server, so only the domain folds texts (ruling O5)."""
    folding = re.compile(
        r"\b(?:lower|upper|initcap|casefold)\s*\(|\bi?like\b.*\blower\b|\bilike\b|\bcitext\b|~\*", re.IGNORECASE
    )
    sources = [path for layer in LAYERS[1:] for path in (PROJECT / layer).rglob("*") if path.suffix in {".py", ".sql"}]
    found = [
        f"{path.relative_to(PROJECT)}: {line.strip()}"
        for path in sources
        if path.name != "0003_jobs.sql"  # the schema of procrastinate, which stores no names or addresses
        for line in path.read_text().splitlines()
        if folding.search(re.sub(r"\.\w+\(|--.*|#.*", "", line))
    ]
    assert found == []
