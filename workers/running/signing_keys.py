"""`rollbook keys`: lists the keys that sign and verify tokens, and changes to a new one (ruling K125)."""

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import UUID

import typer

if TYPE_CHECKING:
    from adapters.settings import Settings

app = typer.Typer(no_args_is_help=True, help="List the keys that sign and verify tokens, and change to a new one.")


@app.command("list")
def list_keys() -> None:
    """List the keys, the one that signs first, with the times of their creation and of the end of former ones."""
    from adapters.environment import load_settings
    from adapters.security.signing_keys import signing_keys

    for key in signing_keys(load_settings()).known():
        if key.verifies:
            typer.echo(f"{key.kid}  created {_shown(key.created)}  until {_shown(key.until)}")


@app.command()
def rotate() -> None:
    """Let a new key sign in all running processes within seconds. The former one verifies for 3,900 s."""
    from adapters.environment import load_settings
    from adapters.settings import PREFIX, InvalidSettingsError
    from workers.running.part_settings import settings_of_a_part

    if load_settings().signing_key is not None:
        raise InvalidSettingsError(f"{PREFIX}SIGNING_KEY: is set; put a new key before the former one there")
    typer.echo(asyncio.run(rotated(settings_of_a_part(signs=True))))


async def rotated(settings: "Settings") -> str:
    """Record the change to a new key, and put the key first into the file; return its id."""
    from adapters.security.signing_keys import FORMER_KEY_VERIFIES, SIGNING_KEYS, new_key, put_first, read_keys
    from domain.core.principal import Principal
    from domain.sessions.signing_keys import SigningKeys
    from workers.following.identity_store import identity_store

    path = settings.data / SIGNING_KEYS
    key, former = new_key(), read_keys(path)[0]
    operator = Principal(UUID(int=0), UUID(int=0), None, system=True)  # the operator has the database's login
    until = datetime.now(UTC) + FORMER_KEY_VERIFIES
    # recorded first: a change that no event tells of must not take effect
    async with identity_store(settings, "rollbook-keys", connections=1) as (store, _, _):
        await SigningKeys(store).rotate(operator, key.kid, former.kid, until)
    put_first(path, key)
    return key.kid


def _shown(at: datetime | None) -> str:
    return "-" if at is None else at.strftime("%Y-%m-%d %H:%M:%S")
