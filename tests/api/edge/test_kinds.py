"""What operations take and answer with besides documents, and how each refuses (architecture 8, rulings L14, L15)."""

from collections.abc import AsyncIterator
from hashlib import sha256
from typing import Annotated, Any

import pytest
from fastapi import Body
from pydantic import BaseModel
from starlette.responses import HTMLResponse, RedirectResponse, Response

from api.edge.caller import Authenticated
from api.edge.deps import PathId
from api.edge.envelope import answer, no_content
from api.edge.kinds import AnswerKind, BodyKind
from api.edge.negotiation import FORM
from api.edge.route import answers, contract_router
from api.edge.uploads import MAX_IN_MEMORY, UploadDep
from domain.core.errors import Conflict, Invalid, TooMany
from tests.support.edge import an_edge

router = contract_router("things")
MAX_UPLOAD = 2 * MAX_IN_MEMORY
BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
SENDS_FORM = {"Content-Type": FORM}


class Grant(BaseModel):
    grant_type: str
    scope: str = "all"


class InvalidGrant(Invalid, code="invalid_grant"):
    detail = 'The "code" is used up.'


@router.post("/v1/tokens/", **answers(None, 201, secret=True, body=BodyKind.FORM))
async def token(body: Annotated[Grant, Body(media_type=FORM)]) -> Response:
    match body.grant_type:
        case "code":
            raise InvalidGrant
        case "many":
            raise TooMany(7)
    return answer(body.model_dump(), 201)


@router.get("/v1/pages/{id}/", **answers(None, kind=AnswerKind.PAGE))
async def page(page_id: PathId) -> Response:
    if page_id.int == 1:
        raise Conflict("<b>Twice</b>")
    return HTMLResponse("<p>Hello</p>")


@router.get("/v1/launcher/", **answers(None, 302, kind=AnswerKind.REDIRECT))
async def launch() -> Response:
    return RedirectResponse("https://client.test/", 302)


@router.post("/v1/nothings/", **answers(None, 204, kind=AnswerKind.NOTHING))
async def nothing() -> Response:
    return no_content(position=1)


@router.post("/v1/uploads/", **answers(None, 201, secret=True, body=BodyKind.STREAM, max_body=MAX_UPLOAD))
async def upload(caller: Authenticated, upload: UploadDep) -> Response:
    content = upload.file.read()
    assert len(content) == upload.size
    assert sha256(content).digest() == upload.digest
    return answer({"size": upload.size, "type": upload.media_type}, 201)


async def test_a_form_ignores_unknown_fields(database_url: str) -> None:
    async with an_edge(database_url, router) as edge:
        fields = b"grant_type=a%20b&session_state=1&scope="
        response = await edge.client.post("/v1/tokens/", content=fields, headers=SENDS_FORM)
        assert (response.status_code, response.json()) == (201, {"grant_type": "a b", "scope": "all"})


@pytest.mark.parametrize(
    ("content", "headers", "status", "error"),
    [
        (b"grant_type=code", SENDS_FORM, 400, "invalid_grant"),
        (b"grant_type=many", SENDS_FORM, 429, "temporarily_unavailable"),
        (b"scope=a", SENDS_FORM, 400, "invalid_request"),
        (b"grant_type=a&grant_type=b", SENDS_FORM, 400, "invalid_request"),
        (b"grant_type=%ff", SENDS_FORM, 400, "invalid_request"),
        (b"grant_type=%00", SENDS_FORM, 400, "invalid_request"),
        (b'{"grant_type":"a"}', {"Content-Type": "application/json"}, 415, "invalid_request"),
    ],
)
async def test_refusals_of_forms_are_those_of_rfc_6749(
    database_url: str, content: bytes, headers: dict[str, str], status: int, error: str
) -> None:
    async with an_edge(database_url, router) as edge:
        response = await edge.client.post("/v1/tokens/", content=content, headers=headers | BROWSER)
        told = response.json()
        assert (response.status_code, told["error"], response.headers["content-type"]) == (
            status, error, "application/json",
        )  # fmt: skip
        assert told["error_description"]
        assert '"' not in told["error_description"]
        assert response.headers.get("Retry-After") == ("7" if status == 429 else None)


async def test_a_browser_is_shown_refusals_as_a_page(database_url: str) -> None:
    async with an_edge(database_url, router) as edge:
        path = "/v1/pages/00000000-0000-0000-0000-000000000001/"
        shown = await edge.client.get(path, headers=BROWSER | {"X-Request-Id": "r-1"})
        assert (shown.status_code, shown.headers["content-type"]) == (409, "text/html; charset=utf-8")
        for part in ('<html lang="en">', "<title>", "<h1>", "&lt;b&gt;Twice&lt;/b&gt;", "409", "conflict", "r-1"):
            assert part in shown.text
        assert shown.headers["Content-Security-Policy"].startswith("default-src 'none'")
        told = await edge.client.get(path)
        assert (told.status_code, told.json()["errors"][0]["code"]) == (409, "conflict")


async def test_a_page_is_refused_to_clients_that_exclude_it(database_url: str) -> None:
    async with an_edge(database_url, router) as edge:
        path = "/v1/pages/00000000-0000-0000-0000-000000000002/"
        assert (await edge.client.get(path, headers=BROWSER)).text == "<p>Hello</p>"
        refused = await edge.client.get(path, headers={"Accept": "application/json"})
        assert (refused.status_code, refused.json()["errors"][0]["code"]) == (406, "not-acceptable")


async def test_redirects_and_empty_answers(database_url: str) -> None:
    async with an_edge(database_url, router) as edge:
        response = await edge.client.get("/v1/launcher/", headers=BROWSER)
        assert (response.status_code, response.headers["location"]) == (302, "https://client.test/")
        refused = await edge.client.get("/v1/launcher/?x=1", headers=BROWSER)
        assert (refused.status_code, refused.headers["content-type"]) == (400, "text/html; charset=utf-8")
        assert (await edge.client.post("/v1/nothings/")).status_code == 204


@pytest.mark.parametrize("size", [0, 10, MAX_IN_MEMORY + 1, MAX_UPLOAD])
async def test_an_upload_is_there_whole_and_of_any_type(database_url: str, size: int) -> None:
    async with an_edge(database_url, router) as edge:
        headers = edge.person().bearer | {"Content-Type": "image/png"}
        response = await edge.client.post("/v1/uploads/", content=b"x" * size, headers=headers)
        assert (response.status_code, response.json()) == (201, {"size": size, "type": "image/png"})


async def test_an_upload_too_large_or_without_a_session_is_refused(database_url: str) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield b"x" * MAX_IN_MEMORY

    async with an_edge(database_url, router) as edge:
        sent: dict[str, Any]
        for sent in ({"content": b"x" * (MAX_UPLOAD + 1)}, {"content": chunks()}):
            response = await edge.client.post("/v1/uploads/", headers=edge.person().bearer, **sent)
            assert (response.status_code, response.json()["errors"][0]["code"]) == (413, "payload-too-large")
        assert (await edge.client.post("/v1/uploads/", content=b"x")).status_code == 401
