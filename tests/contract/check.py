"""Compares the app with the contract: `python -m tests.contract.check`.

Exit status 1 when an operation falls short of the contract that does not stand in `not_built.txt`, and when one
stands there that is built, or that the contract does not know: the list must be true.
"""

import importlib
import sys
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent


def shortfalls(document: dict[str, Any], not_built: Path = FOLDER / "not_built.txt") -> list[str]:
    """One line for each difference between the OpenAPI document and what it should be; none when all is well."""
    # imported by name: it is the contract's own script, copied unchanged and without types
    checker = importlib.import_module("tests.contract.check_contract")
    contract, app = checker.read(FOLDER / "openapi.json"), checker.Document(document)
    waiting = set(not_built.read_text(encoding="utf-8").split("\n")) - {""}
    found = []
    for key, want in contract.operations.items():
        title = f"{key[0].upper()} {want.path}"
        got = app.operations.get(key)
        if title in waiting:
            waiting.discard(title)
            problems = [] if got is None else ["is built, but stands in not_built.txt"]
        elif got is None:
            problems = ["operation missing"]
        else:
            problems = checker.compare_operation(contract, app, want, got, with_errors=True).problems
        if problems:
            found.append(f"{title}: {'; '.join(problems)}")
    return found + [f"{title}: stands in not_built.txt, but not in the contract" for title in sorted(waiting)]


def main() -> int:
    """Print what falls short; the exit status."""
    from api.app import openapi_document  # the tests of this file need no app

    found = shortfalls(openapi_document())
    sys.stdout.writelines(f"{line}\n" for line in [*found, f"contract: {len(found)} operations fall short"])
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
