"""Bodies that are files: kept on disk while they are large, and read by the endpoint as often as it needs them."""

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
    """A file that was sent whole. `media_type` is as the client named it, `digest` its SHA-256."""

    file: IO[bytes]
    size: int
    media_type: str
    digest: bytes


@asynccontextmanager
async def received(request: Request, max_body: int) -> AsyncIterator[Upload]:
    """Inside, the body is there for `UploadDep`. Raises PayloadTooLarge for more than `max_body` bytes, at once."""
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
    """The file of this request, from its beginning."""
    upload: Upload = request.scope[UPLOAD]
    upload.file.seek(0)
    return upload


UploadDep = Annotated[Upload, Depends(upload_of)]
