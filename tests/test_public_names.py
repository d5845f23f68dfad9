"""The product uses what the libraries it is built on publish, so that their next version does not break it."""

import ast
import hashlib
import importlib
import inspect
import re
from collections.abc import Iterator
from importlib.metadata import version
from types import FunctionType
from typing import Any

import psycopg

from tests.test_layout import LAYERS, PROJECT

LIBRARIES = ("fastapi", "starlette", "psycopg", "psycopg_pool", "procrastinate")
WAIT = "5df564e70be72b5a88a004e79d089874a9b0502f8c5439dabe96344c4ab31488"
MODULES = [path for layer in LAYERS for path in sorted((PROJECT / layer).rglob("*.py"))]


PUBLISHED = {"_asdict", "_exit", "_fields", "_make", "_replace"}
"""By the standard library, in spite of their underscore."""


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def private_imports(source: str) -> set[str]:
    """Imports of modules and names that begin with an underscore, by their full names."""
    imported: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                imported |= {alias.name for alias in names}
            case ast.ImportFrom(module=str(module), names=names):
                imported |= {f"{module}.{alias.name}" for alias in names}
    return {name for name in imported if name.split(".")[0] in LIBRARIES and any(map(is_private, name.split(".")))}


def private_attributes(source: str) -> set[str]:
    """Names with an underscore that are read from, or set on, anything but the object or class itself."""
    return {
        ast.unparse(node)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Attribute)
        and is_private(node.attr)
        and node.attr not in PUBLISHED
        and ast.unparse(node.value) not in {"self", "cls", "super()"}
    }


def inherited_private_names(kind: type[Any]) -> set[str]:
    """What a class of ours uses, of the private names that its bases in the libraries use."""
    foreign: set[str] = set()
    for base in kind.__mro__:
        if base.__module__.split(".")[0] in LIBRARIES:
            functions = [each for each in vars(base).values() if isinstance(each, FunctionType)]
            foreign |= set(vars(base)).union(*(each.__code__.co_names for each in functions))
    if not foreign:
        return set()
    source = inspect.cleandoc("\n" + inspect.getsource(kind))
    used = {node.attr for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Attribute)}
    overridden = {name for name, value in vars(kind).items() if isinstance(value, FunctionType)}
    return {name for name in foreign & (used | overridden) if is_private(name)}


def our_classes() -> Iterator[type[Any]]:
    for path in MODULES:
        name = ".".join(path.relative_to(PROJECT).with_suffix("").parts).removesuffix(".__init__")
        for kind in vars(importlib.import_module(name)).values():
            if inspect.isclass(kind) and kind.__module__ == name:
                yield kind


def test_private_names_are_noticed() -> None:
    source = "from starlette._utils import x\nfrom fastapi.routing import _y\nfrom psycopg.waiting import wait_async\n"
    assert private_imports(source) == {"starlette._utils.x", "fastapi.routing._y"}
    assert private_attributes("self._a\nroute._b\nself.connection._c\nx.__doc__") == {"route._b", "self.connection._c"}

    class Inheriting(psycopg.AsyncConnection):
        def look(self) -> object:
            return self._pipeline

    assert inherited_private_names(Inheriting) == {"_pipeline"}


def test_the_product_imports_public_names_only() -> None:
    assert {path: found for path in MODULES if (found := private_imports(path.read_text()))} == {}


def test_the_product_reads_public_attributes_only() -> None:
    assert {path: found for path in MODULES if (found := private_attributes(path.read_text()))} == {}


def test_the_product_inherits_public_names_only() -> None:
    assert {kind: found for kind in our_classes() if (found := inherited_private_names(kind))} == {}


def test_overridden_methods_of_psycopg_are_unchanged() -> None:
    """`wait` is public but not documented: read its changes, and those of `AsyncPipeline`, before this test is changed.

    `PipelineConnection` rests on how it runs the generators of psycopg.
    """
    pinned = re.search(r'"psycopg\[binary,pool\]==([0-9.]+)"', (PROJECT / "pyproject.toml").read_text())
    assert pinned is not None
    assert version("psycopg") == pinned[1]
    source = inspect.getsource(psycopg.AsyncConnection.wait)
    assert (
        hashlib.sha256(source.encode()).hexdigest()
        == "5df564e70be72b5a88a004e79d089874a9b0502f8c5439dabe96344c4ab31488"
    )
