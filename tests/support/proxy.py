"""A way to Postgres that can be cut at a chosen moment: at a statement, before COMMIT, after it, or altogether."""

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory

from psycopg.conninfo import conninfo_to_dict, make_conninfo


class Cut(StrEnum):
    """What happens to a connection when its client sends COMMIT."""

    BEFORE = "the server never sees the COMMIT"
    AFTER = "the server commits, the client does not hear of it"
    LATE = "the client is cut off, and the server sees the COMMIT half a second later"


class Proxy:
    """Knows the messages of the protocol well enough to recognise statements, also prepared ones.

    `cut` is done to the next COMMIT and then forgotten; `cuts` counts them and `was_cut` tells.
    """

    def __init__(self, dsn: str, folder: Path) -> None:
        server = conninfo_to_dict(dsn)
        self._host, self._port = str(server.get("host") or "localhost"), int(server.get("port") or 5432)
        self._path = folder / ".s.PGSQL.5432"
        self.dsn = make_conninfo(dsn, host=str(folder), port=5432)
        self.cut: Cut | None = None
        self.cuts = 0
        self.was_cut = asyncio.Event()
        self.lost: str | None = None
        self._countdown: tuple[Collection[str], int] | None = None
        self._refusing = False
        self._links: set[_Link] = set()

    async def serve(self) -> asyncio.Server:
        return await asyncio.start_unix_server(self._serve_client, self._path)

    def refuse(self) -> None:
        """The database is down, as far as this way to it goes."""
        self._refusing = True
        for link in list(self._links):
            link.close()

    def admit(self) -> None:
        """The database is up again."""
        self._refusing = False

    def lose(self, place: int, applications: Collection[str]) -> None:
        """Cut the connection that is about to carry the statement at this place, from 1, counted from now on.

        Only statements of connections with one of the application names count. `lost` is the statement, None until
        then.
        """
        self.lost, self._countdown = None, (applications, place)

    def keep(self) -> None:
        """Take back what `lose` was told, unless it has happened."""
        self._countdown = None

    def loses(self, application: str, statement: str) -> bool:
        """Whether this statement is the one to be lost."""
        if self._countdown is None or application not in self._countdown[0]:
            return False
        applications, place = self._countdown
        self._countdown = None if place == 1 else (applications, place - 1)
        self.lost = statement if place == 1 else None
        return place == 1

    def take_cut(self) -> Cut | None:
        cut, self.cut = self.cut, None
        if cut is not None:
            self.cuts += 1
            self.was_cut.set()
        return cut

    async def _server(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._host.startswith("/"):
            return await asyncio.open_unix_connection(f"{self._host}/.s.PGSQL.{self._port}")
        return await asyncio.open_connection(self._host, self._port)

    async def _serve_client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._refusing:
            writer.close()
            return
        link = _Link(self, (reader, writer), await self._server())
        self._links.add(link)
        try:
            await asyncio.gather(link.forward(), link.answer())
        except OSError:
            pass
        finally:
            link.close()
            self._links.discard(link)


class _Link:
    """One client's connection and the server's behind it."""

    def __init__(
        self,
        proxy: Proxy,
        client: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        server: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> None:
        self._proxy = proxy
        self._client, self._to_client = client
        self._server, self._to_server = server
        self._application = ""
        self._prepared: dict[bytes, bytes] = {}
        self._done_with = asyncio.Event()
        self._cut: Cut | None = None

    def close(self) -> None:
        self._to_client.close()
        self._to_server.close()

    async def forward(self) -> None:
        """Client to server, message by message, until the client goes or is cut off."""
        with contextlib.suppress(asyncio.IncompleteReadError):
            size = await self._client.readexactly(4)
            opening = await self._client.readexactly(int.from_bytes(size) - 4)
            self._application = _application(opening)
            self._to_server.write(size + opening)
            while True:
                kind, body = await self._message()
                statement = self._statement(kind, body)
                if kind == b"B" and statement.upper() == b"COMMIT" and (cut := self._proxy.take_cut()):
                    await self._cut_off(cut, _packed(kind, body))
                    return
                if statement and self._proxy.loses(self._application, statement.decode()):
                    self.close()
                    return
                self._to_server.write(_packed(kind, body))
        self._to_server.close()

    async def answer(self) -> None:
        """Server to client; what comes after the cut is not passed on."""
        while data := await self._server.read(65_536):
            if self._cut is None:
                self._to_client.write(data)
            elif b"COMMIT\0" in data:
                self._done_with.set()
        self._done_with.set()
        self._to_client.close()

    async def _cut_off(self, cut: Cut, commit: bytes) -> None:
        self._cut = cut
        if cut is Cut.BEFORE:
            self.close()
            return
        rest = await self._rest_of_the_commit()
        if cut is Cut.LATE:
            self._to_client.close()
            await asyncio.sleep(0.5)
        self._to_server.write(commit + rest)
        await self._done_with.wait()
        self.close()

    async def _rest_of_the_commit(self) -> bytes:
        rest = b""
        while True:
            kind, body = await self._message()
            rest += _packed(kind, body)
            if kind == b"S":
                return rest

    async def _message(self) -> tuple[bytes, bytes]:
        kind = await self._client.readexactly(1)
        size = struct.unpack("!i", await self._client.readexactly(4))[0]
        return kind, await self._client.readexactly(size - 4)

    def _statement(self, kind: bytes, body: bytes) -> bytes:
        """What the message has the server carry out, empty when nothing."""
        match kind:
            case b"Q":
                return body.rstrip(b"\0")
            case b"P":
                name, query, _ = body.split(b"\0", 2)
                self._prepared[name] = query
                return b""
            case b"B":
                _, name, _ = body.split(b"\0", 2)
                return self._prepared.get(name, b"")
            case _:
                return b""


def _application(opening: bytes) -> str:
    """The application's name in a startup message."""
    _, _, rest = opening.partition(b"application_name\0")
    return rest.partition(b"\0")[0].decode()


def _packed(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!i", len(body) + 4) + body


@asynccontextmanager
async def a_proxy(dsn: str) -> AsyncIterator[Proxy]:
    """In front of the database of this connection string."""
    with TemporaryDirectory(prefix="rb-") as folder:
        proxy = Proxy(dsn, Path(folder))
        server = await proxy.serve()
        try:
            yield proxy
        finally:
            server.close()
            proxy.refuse()
