"""A user's authenticator app: computes codes from a secret, and sets TOTP up over HTTP."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pyotp

from domain.people.totp import STEP_SECONDS, TotpConfigurations, configurations_id
from tests.support.world.product import PASSWORD, Person, World

PATH = "/v1/mfa-totp/"


@dataclass
class Authenticator:
    """`recovery_codes` are those of the answer that enabled it."""

    id: str
    secret: str
    recovery_codes: list[str]

    def code(self, step: int = 0) -> str:
        """The code of the present time step, or of one that many steps later."""
        counter = int(datetime.now(UTC).timestamp()) // STEP_SECONDS + step
        return str(pyotp.HOTP(self.secret).at(counter))

    def codes(self, step: int = 0) -> list[str]:
        """The code of a step and the one after it."""
        return [self.code(step), self.code(step + 1)]

    @property
    def path(self) -> str:
        return f"{PATH}{self.id}/"


async def a_recorded_authenticator(world: World, user_id: UUID, *, enabled: bool) -> Authenticator:
    """The only configuration of a user, recorded without HTTP; all of its codes can still be used."""
    known = await world.identity.store.find(TotpConfigurations, configurations_id(user_id))
    configurations = known or TotpConfigurations.create(user_id)
    configurations.end()
    configuration_id, secret = uuid4(), pyotp.random_base32()
    configurations.add(configuration_id, secret)
    if enabled:
        configurations.enable(configuration_id, 0, [])
    await world.identity.store.save(configurations)
    return Authenticator(str(configuration_id), secret, [])


async def an_authenticator(world: World, person: Person) -> Authenticator:
    """A new configuration of the person that is not enabled."""
    made = (await world.post(PATH, {}, person))["data"]
    return Authenticator(made["id"], made["attributes"]["secret"]["shared-secret-key"], [])


async def enable(
    world: World, person: Person, authenticator: Authenticator, step: int = -1, status: int = 201, /, **changes: Any
) -> Any:
    """Enable it by the codes of `step` and of the step after it. Return the attributes or the refusal."""
    body = {"password": PASSWORD, "codes": authenticator.codes(step), **changes}
    answer = await world.post(f"{authenticator.path}enable/", body, person, status)
    if status != 201:
        (error,) = answer["errors"]
        return error
    attributes = answer["data"]["attributes"]
    authenticator.recovery_codes = attributes["recovery-codes"]
    return attributes


async def an_enabled_authenticator(world: World, person: Person) -> Authenticator:
    """An enabled configuration. The code of the next time step can be used from now on."""
    authenticator = await an_authenticator(world, person)
    await enable(world, person, authenticator)
    return authenticator
