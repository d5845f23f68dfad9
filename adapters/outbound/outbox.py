"""The outbox: writes each message of a channel without a server to a file (rulings K35 to K37, L66)."""

import asyncio
from datetime import UTC
from pathlib import Path
from typing import Any

import orjson

from adapters.outbound.mailboxes import format_mailbox
from adapters.security import private_files
from domain.core.messages import Message, MessageRefused


class Outbox:
    """Writes messages to files; one that is sent twice replaces its file. Implements `MessageSender`."""

    def __init__(self, folder: Path | None, sender: str | None) -> None:
        """`sender` is the default sender. Without a folder every message is refused."""
        self._folder = folder
        self._sender = sender

    async def send(self, message: Message) -> None:
        if self._folder is None:
            raise MessageRefused("no-outbox")
        content = orjson.dumps(self._members(message), option=orjson.OPT_INDENT_2).decode()
        await asyncio.to_thread(_write, self._folder / file_name(message), content)

    def _members(self, message: Message) -> dict[str, Any]:
        return {
            "id": message.id,
            "kind": message.channel,
            "to": message.to,
            "from": self._sender if message.sender is None else format_mailbox(message.sender),
            "reply-to": None if message.reply_to is None else format_mailbox(message.reply_to),
            "template": message.template,
            "locale": message.locale,
            "subject": message.subject,
            "text": message.text,
            "html": message.html,
            "code": message.code,
            "link": message.link,
            "user-id": message.user_id,
            "organization-id": message.organization_id,
            "created-time": f"{message.created_at.astimezone(UTC):%Y-%m-%d %H:%M:%S}",
        }


def file_name(message: Message) -> str:
    """Return the name of the message's file, from its creation time, kind and id. Names sort by time."""
    return f"{message.created_at.astimezone(UTC):%Y%m%dT%H%M%S%fZ}-{message.channel}-{message.id}.json"


def _write(path: Path, content: str) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if path.parent.stat().st_mode & 0o777 != 0o700:  # the folder existed
        path.parent.chmod(0o700)
    private_files.replace(path, content)
