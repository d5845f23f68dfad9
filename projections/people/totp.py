"""TOTP configurations, without their secrets, and their last uses (inline, one projection for each log)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from psycopg import AsyncCursor
from psycopg.rows import class_row

from domain.people.totp import TotpConfigurations
from domain.people.totp_uses import TotpUse
from projections.core.fold import Fold, handler
from projections.core.projection import InlineProjection, Recorded, WriteCursor
from projections.core.rows import Row, delete, insert, update, upsert


class TotpFold(Fold):
    """New rows, changed columns by configuration, and configurations that are gone."""

    def __init__(self) -> None:
        self.added: dict[UUID, Row] = {}
        self.changed: dict[UUID, dict[str, Any]] = {}
        self.removed: dict[tuple[UUID], None] = {}

    @handler
    def begin(self, event: TotpConfigurations.Added) -> None:
        row = {"configuration_id": event.configuration_id, "user_id": event.user_id, "created_at": event.timestamp}
        self.added[event.configuration_id] = row

    @handler
    def enable(self, event: TotpConfigurations.Enabled) -> None:
        at, left = event.timestamp, len(event.recovery_codes)
        self._change(
            event.configuration_id, enabled_at=at, enabled_before=True, last_used_at=at, recovery_codes_left=left
        )

    @handler
    def disable(self, event: TotpConfigurations.Disabled) -> None:
        self._change(event.configuration_id, enabled_at=None, recovery_codes_left=0)

    @handler
    def replace_recovery_codes(self, event: TotpConfigurations.RecoveryCodesReplaced) -> None:
        self._change(event.configuration_id, recovery_codes_left=len(event.recovery_codes))

    @handler
    def use_recovery_code(self, event: TotpConfigurations.RecoveryCodeUsed) -> None:
        self._change(event.configuration_id, last_used_at=event.timestamp, recovery_codes_left=event.left)

    @handler
    def remove(self, event: TotpConfigurations.Removed) -> None:
        self.removed[event.configuration_id,] = None

    def _change(self, configuration_id: UUID, **columns: Any) -> None:
        self.changed.setdefault(configuration_id, {}).update(columns)


class TotpProjection(InlineProjection):
    """Follows the identity log."""

    name = "totp_configurations"
    events = TotpFold.events

    async def apply(self, cursor: WriteCursor, events: Sequence[Recorded]) -> None:
        fold = await TotpFold().add_all(events)
        await insert(cursor, self.name, fold.added.values())
        for configuration_id, columns in fold.changed.items():  # each has columns of its own
            row = {"configuration_id": configuration_id, **columns}
            await update(cursor, self.name, ("configuration_id",), [row])
        await delete(cursor, self.name, ("configuration_id",), fold.removed)


class TotpUsesFold(Fold):
    """The time of the last use of each configuration."""

    def __init__(self) -> None:
        self.used: dict[UUID, Row] = {}

    @handler
    def use(self, event: TotpUse.Created) -> None:
        configuration_id = event.configuration_id
        self.used[configuration_id] = {"configuration_id": configuration_id, "used_at": event.timestamp}


class TotpUsesProjection(InlineProjection):
    """Follows the log of sessions."""

    name = "totp_uses"
    events = TotpUsesFold.events

    async def apply(self, cursor: WriteCursor, events: Sequence[Recorded]) -> None:
        fold = await TotpUsesFold().add_all(events)
        await upsert(cursor, self.name, ("configuration_id",), fold.used.values())


class TotpRow(NamedTuple):
    """A configuration. From `enabled_before` on its secret is not shown."""

    configuration_id: UUID
    user_id: UUID
    created_at: datetime
    enabled_at: datetime | None
    enabled_before: bool
    last_used_at: datetime | None
    recovery_codes_left: int


_SELECT = """
SELECT configuration_id, user_id, created_at, enabled_at, enabled_before,
       greatest(last_used_at, used_at) AS last_used_at, recovery_codes_left
FROM totp_configurations LEFT JOIN totp_uses USING (configuration_id)
"""
CONFIGURATIONS_OF = f"{_SELECT} WHERE user_id = %s ORDER BY created_at, configuration_id"
CONFIGURATION = f"{_SELECT} WHERE configuration_id = %s"
OWNER_OF = "SELECT user_id FROM totp_configurations WHERE configuration_id = %s"


async def configurations_of(cursor: AsyncCursor, user_id: UUID) -> list[TotpRow]:
    """Return the configurations of a user, the oldest first."""
    return await _rows(cursor, CONFIGURATIONS_OF, user_id)


async def configuration(cursor: AsyncCursor, configuration_id: UUID) -> TotpRow | None:
    """Return the configuration, None when it does not exist."""
    return next(iter(await _rows(cursor, CONFIGURATION, configuration_id)), None)


async def _rows(cursor: AsyncCursor, query: str, subject: UUID) -> list[TotpRow]:
    rows = cursor.connection.cursor(row_factory=class_row(TotpRow))
    await rows.execute(query, [subject], prepare=True)
    return await rows.fetchall()
