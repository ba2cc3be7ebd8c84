"""What the fault script does to an answer. Called by `api` and `pages`, around the effect."""

import time
from collections.abc import Callable
from typing import Final

from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from sandbox.cloudpayments.books import Books
from sandbox.cloudpayments.courier import CALLBACK_FAULTS

BEFORE_EFFECT: Final = ("error_500_before_effect",)
AFTER_EFFECT: Final = (
    "error_500_after_effect",
    "cut_after_effect",
    "not_json",
    "slow",
    "callback_before_answer",
)
PAGE_FAULTS: Final = ("pay_twice",)
FAULT_KINDS: Final = frozenset({*BEFORE_EFFECT, *AFTER_EFFECT, *PAGE_FAULTS, *CALLBACK_FAULTS})
SLOW_LIMIT_SECONDS: Final = 120.0


class CutResponse(Response):
    """Headers that promise a body, then nothing: the server closes the connection."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"content-type", b"application/json"), (b"content-length", b"4096")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})


def server_error() -> Response:
    """The provider's 500, which is no JSON."""
    return PlainTextResponse("Internal Server Error", status_code=500)


def fails_before(books: Books, point: str, now: float) -> bool:
    """Tell whether this call shall fail before it does anything."""
    return books.take_fault(point, BEFORE_EFFECT, now) is not None


def answer_after(
    books: Books, point: str, now: float, answer: Response, send_callbacks: Callable[[], None]
) -> Response:
    """Give the answer, or what the script makes of it now that the effect has happened."""
    fault = books.take_fault(point, AFTER_EFFECT, now)
    match fault.kind if fault else "":
        case "error_500_after_effect":
            return server_error()
        case "cut_after_effect":
            return CutResponse()
        case "not_json":
            return PlainTextResponse("<html>it works</html>")
        case "slow":
            time.sleep(min((fault.milliseconds if fault else 0) / 1000, SLOW_LIMIT_SECONDS))
        case "callback_before_answer":
            send_callbacks()
    return answer
