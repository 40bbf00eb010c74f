"""The HTTP API as one application: whatever routers are given, and the pages of health and metrics."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from importlib.metadata import version

from fastapi import APIRouter, FastAPI
from fastapi.responses import Response

from contact_center.http.api import answers
from contact_center.http.api.desk import ApiDesk
from contact_center.http.api.gate import Gate
from contact_center.http.api.site import api_routers
from contact_center.http.pages import Page, Pages


def make_app(pages: Pages, routers: Sequence[APIRouter] = (), desk: ApiDesk | None = None) -> FastAPI:
    """The application, with the API when its ``desk`` is given. It has no pages that load anything from elsewhere."""
    app = FastAPI(
        title="Callwright",
        version=version("callwright"),
        docs_url=None,
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
    )
    answers.install(app)
    for path, page in pages.by_path.items():  # in a running centre they are answered before; here for /openapi.json
        name, meaning = page.__name__, page.__doc__
        app.add_api_route(
            path, _endpoint(page), tags=["health"], name=name, description=meaning, response_class=Response
        )
    for router in (*routers, *(api_routers(desk) if desk else ())):
        # As they are: `include_router` would make every route, and all that checks its parameters, once more.
        app.router.routes.extend(router.routes)
    if desk:
        app.add_middleware(Gate, desk=desk)
    return app


def _endpoint(page: Callable[[], Awaitable[Page]]) -> Callable[[], Awaitable[Response]]:
    async def endpoint() -> Response:
        shown = await page()
        return Response(shown.body, shown.status, media_type=shown.media_type)

    return endpoint
