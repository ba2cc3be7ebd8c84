"""The outer layer of the pages: nobody else's site posts here, and every answer says what a page may load.

Plain ASGI around sqladmin's application, so that it holds for its own routes as for ours. The JSON API is not
below it: it takes no cookie, so there is nothing to forge.
"""

from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from web.problems import Problem
from web.strict import check_query

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
# `no-referrer`, the rule elsewhere, would make browsers send `Origin: null` with our own forms.
HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
SAFE_METHODS: Final = frozenset({"GET", "HEAD"})
STATIC_PATHS: Final = ("/statics/", "/own/")
STATIC_CACHE: Final = "public, max-age=600"


class PagesGuard:
    """Wraps the pages' application; `refuse` makes the page that says why a request goes no further."""

    def __init__(self, app: ASGIApp, refuse: Callable[[Request, Problem], Awaitable[Response]]) -> None:
        self._app = app
        self._refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return

        # Asked now: routing will change the scope.
        is_static = _is_static(scope)

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(HEADERS)
                if is_static and message["status"] in (200, 304):
                    headers["Cache-Control"] = STATIC_CACHE
            await send(message)

        try:
            check_request(scope)
        except Problem as problem:
            response = await self._refuse(Request(scope, receive), problem)
            await response(scope, receive, send_guarded)
        else:
            await self._app(scope, receive, send_guarded)


def check_request(scope: Scope) -> None:
    """What every page asks of a request. Raises Problem 403 or 422."""
    if scope["method"] not in SAFE_METHODS and not is_same_origin(Headers(scope=scope)):
        raise Problem(403, "cross_site")
    check_query(scope["query_string"])


def is_same_origin(headers: Headers) -> bool:
    """Whether one of our own pages sent this. A browser always says so in one of two headers.

    Schemes are not compared: behind a proxy that ends TLS this process knows only its own.
    """
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is not None and site != "same-origin":
        return False
    if origin is None:
        return site is not None
    sent_from: str = urlsplit(origin).netloc
    host: str | None = headers.get("host")
    return sent_from != "" and sent_from == host


def _is_static(scope: Scope) -> bool:
    path: str = scope["path"].removeprefix(scope.get("root_path", ""))
    return path.startswith(STATIC_PATHS)
