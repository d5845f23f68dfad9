"""Every command is given the principal and judges what they may do; refusals name arguments (architecture, 8)."""

import ast
import inspect
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, cast

from api.app import routers
from api.edge.route import ContractRoute
from domain.application import Identity
from domain.core.errors import DomainError, Invalid
from domain.core.permissions import Permissions
from domain.people.passwords import PasswordPolicy
from tests.support.doubles import MemoryDirectory, MemoryStore
from tests.support.world.principals import Everything

ROOT = Path(__file__).parents[3]
WITHOUT_A_PRINCIPAL = {
    "agreements.require", "agreements.agreed", "agreements.record",  # by logins and sign-ups, which check who they are
    "request_changes.send_again",  # the person, who proves nothing
    "claims.of_confirmed",  # by the confirmation, which saves it: the code proved who they are
    "group_moves.carry_out", "group_moves.give_up",  # by jobs: what was requested was permitted then
    "password_policy.rate", "password_policy.require",  # about nobody who is known yet
    "service_accounts.sync",  # by the start
    "anonymous_accesses.call",  # by anybody who knows the id of the access
    "sign_ups.with_organization_code",
    "sessions.log_in", "sessions.open_for_service", "sessions.refresh",  # who proves who they are
    "confirmations.confirm", "confirmations.resend", "password_resets.request", "password_resets.reset",  # with codes
    "sessions.log_in_with_code", "referral_sign_ups.sign_up",
}  # fmt: skip


def commands() -> Iterator[tuple[str, list[str]]]:
    """Yield each command, as callers write it, with the names of its arguments."""
    store = MemoryStore()
    nothing: Any = cast("Any", None)
    identity = Identity(
        store,
        store,
        access=Everything(),
        directory=MemoryDirectory(store),
        password_policy=PasswordPolicy(nothing, nothing, 8),
        attempts=nothing,
        live_sessions=nothing,
        one_time_codes=nothing,
        known_addresses=nothing,
        resends=nothing,
        referral_codes=nothing,
        code_checks=nothing,
        fresh_login=nothing,
        enrollment_schemas=nothing,
        proxied_services=nothing,
        proxied_calls=nothing,
    )
    for resource, of_resource in vars(identity).items():
        if isinstance(of_resource, MemoryStore | Permissions):
            continue
        for name, method in inspect.getmembers(of_resource, inspect.iscoroutinefunction):
            if not name.startswith("_"):
                yield f"{resource}.{name}", list(inspect.signature(method).parameters)


def keywords(*names: str) -> Iterator[tuple[Path, ast.keyword]]:
    """Yield the keyword arguments of these names in all calls, with their files."""
    for path in (*(ROOT / "domain").rglob("*.py"), *(ROOT / "projections").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.keyword) and node.arg in names:
                yield path, node


def named_arguments() -> set[str]:
    """Return the arguments that refusals name: literals, module constants, and what classes say of all of their own."""
    found = set()
    for path, node in keywords("argument"):
        if isinstance(node.value, ast.Constant):
            found.add(str(node.value.value))
        elif isinstance(node.value, ast.Name) and node.value.id.isupper():
            found.add(getattr(import_module(".".join(path.relative_to(ROOT).with_suffix("").parts)), node.value.id))
    return found | {each.argument for each in refusals(DomainError) if each.argument is not None}


def refusals(kind: type[DomainError]) -> Iterator[type[DomainError]]:
    """Yield all subclasses."""
    for each in kind.__subclasses__():
        yield each
        yield from refusals(each)


def test_every_command_takes_the_principal_first() -> None:
    without = {name for name, parameters in commands() if parameters[:1] != ["principal"]}
    assert without == WITHOUT_A_PRINCIPAL


def test_refusals_of_the_domain_name_arguments_and_no_places_in_requests() -> None:
    assert [path for path, _ in keywords("pointer", "parameter")] == []


def test_some_operation_knows_where_each_named_argument_stands() -> None:
    signatures = [
        route.signature for router in routers() for route in router.routes if isinstance(route, ContractRoute)
    ]
    unknown = set()
    for name in named_arguments():
        asked = [Invalid(argument=name) for _ in signatures]
        for signature, refusal in zip(signatures, asked, strict=True):
            signature.locate(refusal)
        if not any(refusal.pointer or refusal.parameter for refusal in asked):
            unknown.add(name)
    assert unknown == set()
