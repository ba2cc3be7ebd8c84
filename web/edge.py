"""The outermost layer of every request: size and time of the body, correlation id, headers, the log line.

It is plain ASGI, outside the framework, so that whatever happens inside still gets an answer and a line.
Nothing here knows a studio or a customer.
"""

import asyncio
import re
from time import perf_counter
from typing import Annotated, Final

import structlog
from fastapi import Depends
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kit.ids import new_id
from runtime.logging import bind
from runtime.metrics import HTTP_REQUEST_SECONDS
from web.problems import Problem, problem_response

BODY_LIMIT_BYTES: Final = 64 * 1024
BODY_TIMEOUT_SECONDS: Final = 10
CORRELATION_HEADER: Final = "X-Request-ID"
_CORRELATION_NAME: Final = CORRELATION_HEADER.lower().encode()
_CORRELATION_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
_METHODS: Final = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"})
# Asked for every second by machines; their lines would hide the others.
_QUIET_PATHS: Final = frozenset({"/healthz/live", "/healthz/ready", "/metrics"})
# As ASGI has them: they go into every answer that does not set its own.
_SECURITY_HEADERS: Final = {
    b"content-security-policy": b"default-src 'none'; frame-ancestors 'none'",
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"cache-control": b"no-store",
    b"cross-origin-opener-policy": b"same-origin-allow-popups",
}

log = structlog.get_logger("web.access")


class Edge:
    """Wraps the application. Other protocols than HTTP pass untouched (lifespan) or are closed."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            correlation_id = _correlation_id(Headers(scope=scope))
            scope.setdefault("state", {})["correlation_id"] = correlation_id
            with bind(correlation_id=correlation_id):
                await self._answer(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = perf_counter()
        answer = _Answer(send, scope["state"]["correlation_id"])
        try:
            body = await _read_body(receive)
            await self._app(scope, _replay(body, receive), answer.send)
        except Problem as problem:
            await problem_response(problem)(scope, receive, answer.send)
        except Exception:
            log.exception("request broke")
            if answer.status is None:
                await problem_response(Problem(500, "internal_error"))(scope, receive, answer.send)
        finally:
            _record(scope, answer.status or 499, perf_counter() - started)


class _Answer:
    """Remembers the status on its way out and completes the headers."""

    def __init__(self, send: Send, correlation_id: str) -> None:
        self._send = send
        self._correlation_id = correlation_id
        self.status: int | None = None

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            given = message.get("headers", [])
            ours = _SECURITY_HEADERS | {_CORRELATION_NAME: self._correlation_id.encode()}
            set_already = {name.lower() for name, _ in given}
            message["headers"] = [*given, *(pair for pair in ours.items() if pair[0] not in set_already)]
        await self._send(message)


def _correlation_id(headers: Headers) -> str:
    given = headers.get(CORRELATION_HEADER, "")
    return given if _CORRELATION_ID.fullmatch(given) else new_id().hex


async def _read_body(receive: Receive) -> bytes:
    """The whole body, bounded in size and time. Raises Problem 413 or 408."""
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_TIMEOUT_SECONDS):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise Problem(400, "incomplete_body")
                body += message.get("body", b"")
                if len(body) > BODY_LIMIT_BYTES:
                    raise Problem(413, "body_too_large", headers={"Connection": "close"})
                if not message.get("more_body", False):
                    return bytes(body)
    except TimeoutError:
        raise Problem(408, "body_too_slow", headers={"Connection": "close"}) from None


def _replay(body: bytes, receive: Receive) -> Receive:
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return waiting.pop() if waiting else await receive()

    return replay


def _record(scope: Scope, status: int, seconds: float) -> None:
    route = getattr(scope.get("route"), "path", "unmatched")
    method = scope["method"] if scope["method"] in _METHODS else "other"
    HTTP_REQUEST_SECONDS.labels(method, route, str(status)).observe(seconds)
    if scope["path"] not in _QUIET_PATHS:
        log.info(
            "request",
            **{
                "http.request.method": method,
                "http.route": route,
                "http.response.status_code": status,
                "event.duration": int(seconds * 1e9),
                "client.address": remote_address(Request(scope)),
            },
        )


def remote_address(request: Request) -> str | None:
    """The peer's address, as uvicorn knows it: a proxy's header counts only from a trusted proxy."""
    return request.client.host if request.client else None


def get_correlation_id(request: Request) -> str:
    return str(request.state.correlation_id)


# A dependency that is no coroutine would cost a thread.
async def _take_correlation_id(request: Request) -> str:
    return get_correlation_id(request)


CorrelationId = Annotated[str, Depends(_take_correlation_id)]
