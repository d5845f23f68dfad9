"""A way to Postgres that can be cut at a chosen moment: in front of COMMIT, behind it, or altogether."""

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator
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
    """Knows the messages of the protocol well enough to recognise a COMMIT, also a prepared one.

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
            self._to_server.write(size + await self._client.readexactly(int.from_bytes(size) - 4))
            while True:
                kind, body = await self._message()
                if self._commits(kind, body) and (cut := self._proxy.take_cut()):
                    await self._cut_off(cut, _packed(kind, body))
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

    def _commits(self, kind: bytes, body: bytes) -> bool:
        match kind:
            case b"P":
                name, query, _ = body.split(b"\0", 2)
                self._prepared[name] = query
                return False
            case b"B":
                _, name, _ = body.split(b"\0", 2)
                return self._prepared.get(name, b"").upper() == b"COMMIT"
            case _:
                return False


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
