"""The outermost layer: what happens to requests that never become whole, and to our own bugs."""

import asyncio
from collections.abc import Sequence

from starlette.types import Message, Receive, Scope, Send

from web.edge import Edge


def ask(app: object, messages: Sequence[Message]) -> list[Message]:
    waiting = list(messages)
    sent: list[Message] = []

    async def receive() -> Message:
        return waiting.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    scope: Scope = {"type": "http", "method": "POST", "path": "/x", "headers": [], "query_string": b""}
    asyncio.run(Edge(app)(scope, receive, send))  # type: ignore[arg-type]
    return sent


async def broken(scope: Scope, receive: Receive, send: Send) -> None:
    raise RuntimeError("hunter2")


async def never(scope: Scope, receive: Receive, send: Send) -> None:
    raise AssertionError("must not be reached")


async def framed(scope: Scope, receive: Receive, send: Send) -> None:
    own = [(b"Content-Security-Policy", b"default-src 'self'")]
    await send({"type": "http.response.start", "status": 200, "headers": own})
    await send({"type": "http.response.body", "body": b""})


def test_an_answer_gets_the_headers_that_it_does_not_set_itself() -> None:
    headers = ask(framed, [{"type": "http.request", "body": b""}])[0]["headers"]
    names = [name.lower() for name, _ in headers]
    assert len(names) == len(set(names))
    assert (b"Content-Security-Policy", b"default-src 'self'") in headers
    assert (b"x-content-type-options", b"nosniff") in headers
    assert b"x-request-id" in names


def test_our_own_bug_is_a_500_without_details() -> None:
    start, body = ask(broken, [{"type": "http.request", "body": b""}])
    assert start["status"] == 500
    assert b"internal_error" in body["body"]
    assert b"hunter2" not in body["body"]


def test_half_a_body_never_reaches_the_application() -> None:
    half = {"type": "http.request", "body": b'{"a": 1}', "more_body": True}
    assert ask(never, [half, {"type": "http.disconnect"}])[0]["status"] == 400
