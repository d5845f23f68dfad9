"""Bodies that are files: large ones are kept on disk, and the endpoint can read them more than once."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from tempfile import SpooledTemporaryFile
from typing import IO, Annotated, NamedTuple

from fastapi import Depends
from starlette.requests import Request

from api.edge.errors import PayloadTooLarge

UPLOAD = "rollbook.upload"
MAX_IN_MEMORY = 256 * 1024


class Upload(NamedTuple):
    """A completely received file. `media_type` is the one that the client sent, `digest` is the SHA-256."""

    file: IO[bytes]
    size: int
    media_type: str
    digest: bytes


@asynccontextmanager
async def received(request: Request, max_body: int) -> AsyncIterator[Upload]:
    """Receive the body and keep it for `UploadDep` inside. Raises PayloadTooLarge as soon as it exceeds `max_body`."""
    announced = request.headers.get("content-length", "0")
    if announced.isdecimal() and int(announced) > max_body:
        raise PayloadTooLarge(max_body)
    size, digest = 0, hashlib.sha256()
    with SpooledTemporaryFile(MAX_IN_MEMORY) as file:
        async for chunk in request.stream():
            size += len(chunk)
            if size > max_body:
                raise PayloadTooLarge(max_body)
            digest.update(chunk)
            if size <= MAX_IN_MEMORY:
                file.write(chunk)
            else:
                await asyncio.to_thread(file.write, chunk)
        upload = Upload(file, size, request.headers.get("content-type", ""), digest.digest())
        request.scope[UPLOAD] = upload
        yield upload


async def upload_of(request: Request) -> Upload:
    """Return the file of this request, positioned at its beginning."""
    upload: Upload = request.scope[UPLOAD]
    upload.file.seek(0)
    return upload


UploadDep = Annotated[Upload, Depends(upload_of)]
