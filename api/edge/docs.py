"""The page /docs: the reference of all operations. This process serves the page and all its assets (ruling O16)."""

from collections.abc import Awaitable, Callable
from importlib.resources import files
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.routing import Route

from api.edge.pages import page
from domain.core.errors import NotFound

ASSETS = "/docs/"
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
CACHE_HEADERS = {"Cache-Control": "public, max-age=3600", "X-Content-Type-Options": "nosniff"}


class Asset(NamedTuple):
    """A file of Swagger UI and its media type."""

    name: str
    media_type: str


SCRIPT = Asset("swagger-ui-bundle.js", "text/javascript")
STYLE = Asset("swagger-ui.css", "text/css")
ICON = Asset("favicon-32x32.png", "image/png")
FILES = {asset.name: asset for asset in (SCRIPT, STYLE, ICON)}
START = "start.js"

# relative, because a gateway may add a prefix to all paths
_HEAD = f"""<link rel="icon" href=".{ASSETS}{ICON.name}">
<link rel="stylesheet" href=".{ASSETS}{STYLE.name}">
"""
_BODY = f"""<main id="reference"></main>
<script src=".{ASSETS}{SCRIPT.name}"></script>
<script src=".{ASSETS}{START}"></script>
"""
# without a validator, which would be another host
_START = """SwaggerUIBundle({{
  url: ".{document}", dom_id: "#reference", deepLinking: true, showExtensions: true, validatorUrl: null
}});
"""


def routes(title: str, document: str) -> list[Route]:
    """Return the routes of the page and of its assets; `document` is the path of the OpenAPI document."""
    start = Response(_START.format(document=document), headers=CACHE_HEADERS, media_type="text/javascript")
    policy = {"Content-Security-Policy": CONTENT_SECURITY_POLICY, "Referrer-Policy": "no-referrer"}
    answers = {
        "/docs": _always(HTMLResponse(page(title, _BODY, _HEAD), headers=policy)),
        f"{ASSETS}{START}": _always(start),
        f"{ASSETS}{{name}}": _asset,
    }
    return [Route(path, endpoint, include_in_schema=False) for path, endpoint in answers.items()]


def _always(response: Response) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(_: Request) -> Response:
        return response

    return endpoint


async def _asset(request: Request) -> Response:
    asset = FILES.get(request.path_params["name"])
    if asset is None:
        raise NotFound("No resource has this path.")
    path = files("fastapi_swagger") / "resources" / asset.name
    return FileResponse(str(path), headers=CACHE_HEADERS, media_type=asset.media_type)
