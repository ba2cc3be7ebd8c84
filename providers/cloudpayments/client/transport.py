"""One HTTP POST to the provider: pooled, with deadlines, without redirects, proxies, cookies or repeats.

Called by `api`. It only tells what is certain: an answer, `not_sent`, or `unknown`.
"""

import json
import ssl
import time
from decimal import Decimal
from http.cookiejar import DefaultCookiePolicy
from typing import Final

import orjson
import requests
import urllib3.exceptions
from requests.adapters import HTTPAdapter

from providers.cloudpayments.answers import Envelope
from providers.port import OutcomeKind

CONNECT_TIMEOUT_SECONDS: Final = 3.0
ANSWER_TIMEOUT_SECONDS: Final = 30.0
ANSWER_LIMIT_BYTES: Final = 4 * 1024 * 1024
TEST_CALLS_IN_FLIGHT: Final = 5
LIVE_CALLS_IN_FLIGHT: Final = 30
_CHUNK_BYTES: Final = 64 * 1024
# Basic authorization is checked before anything is done, so these two mean a definite no.
_REFUSED_STATUSES: Final = frozenset({401, 403})


def longest_call_seconds(answer_timeout_seconds: float) -> float:
    """Connect, wait for the headers, read the body, and the last read that began just before the deadline."""
    return min(CONNECT_TIMEOUT_SECONDS, answer_timeout_seconds) + 3 * answer_timeout_seconds


class CallFailed(Exception):
    """No answer that can be read: `kind` is not_sent, unknown, or declined for refused credentials."""

    def __init__(self, kind: OutcomeKind, cause: str) -> None:
        super().__init__(f"{kind}: {cause}")
        self.kind = kind
        self.cause = cause


def open_session(login: str, password: str, *, is_test: bool) -> requests.Session:
    """Give a session whose pool is also the provider's cap on calls in flight (HTTP 429 above it)."""
    size = TEST_CALLS_IN_FLIGHT if is_test else LIVE_CALLS_IN_FLIGHT
    session = requests.Session()
    session.auth = (login, password)
    # The environment may not send a payment through a proxy or put other credentials on it.
    session.trust_env = False
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    adapter = HTTPAdapter(pool_connections=1, pool_maxsize=size, max_retries=0, pool_block=True)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def post(
    session: requests.Session,
    url: str,
    body: bytes,
    request_id: str | None,
    answer_timeout_seconds: float = ANSWER_TIMEOUT_SECONDS,
) -> Envelope:
    """Send once and read the envelope; the timeout holds for the headers and again for the body.

    Raises CallFailed.
    """
    headers = {"Content-Type": "application/json", "Accept-Encoding": "identity"}
    if request_id is not None:
        headers["X-Request-ID"] = request_id
    try:
        with session.post(
            url,
            data=body,
            headers=headers,
            timeout=(min(CONNECT_TIMEOUT_SECONDS, answer_timeout_seconds), answer_timeout_seconds),
            allow_redirects=False,
            stream=True,
        ) as response:
            return _read_answer(response, time.monotonic() + answer_timeout_seconds)
    except requests.RequestException as error:
        raise _call_failed(error) from error
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise CallFailed(OutcomeKind.UNKNOWN, "connection_lost") from error


def exact_json(value: object) -> bytes:
    """Write JSON where a Decimal is the number it is, digit by digit."""
    return orjson.dumps(value, default=_exact_number)


def _exact_number(value: object) -> orjson.Fragment:
    if isinstance(value, Decimal):
        return orjson.Fragment(format(value, "f"))
    raise TypeError(type(value).__name__)


def _call_failed(error: requests.RequestException) -> CallFailed:
    """Nothing was sent only when the connection itself never came to be."""
    if isinstance(error, requests.ConnectTimeout):
        return CallFailed(OutcomeKind.NOT_SENT, "connect_timeout")
    causes = _causes(error)
    if any(isinstance(cause, urllib3.exceptions.NewConnectionError) for cause in causes):
        return CallFailed(OutcomeKind.NOT_SENT, "connect_refused")
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes):
        return CallFailed(OutcomeKind.NOT_SENT, "certificate_refused")
    is_timeout = isinstance(error, requests.Timeout)
    return CallFailed(OutcomeKind.UNKNOWN, "read_timeout" if is_timeout else "connection_lost")


def _causes(error: BaseException) -> list[BaseException]:
    """Unfold what requests and urllib3 wrap: `reason` of a MaxRetryError, then the first argument."""
    found: list[BaseException] = []
    step: object = error
    while isinstance(step, BaseException) and step not in found:
        found.append(step)
        step = getattr(step, "reason", None) or (step.args[0] if step.args else None)
    return found


def _read_answer(response: requests.Response, deadline: float) -> Envelope:
    if response.status_code in _REFUSED_STATUSES:
        raise CallFailed(OutcomeKind.DECLINED, f"http_{response.status_code}")
    if response.status_code != requests.codes.ok:
        raise CallFailed(OutcomeKind.UNKNOWN, f"http_{response.status_code}")
    body = bytearray()
    # read1 gives what has arrived, so a server that drips bytes meets the deadline between any two of them.
    while chunk := response.raw.read1(_CHUNK_BYTES):
        body += chunk
        if len(body) > ANSWER_LIMIT_BYTES:
            raise CallFailed(OutcomeKind.UNKNOWN, "answer_too_large")
        if time.monotonic() > deadline:
            raise CallFailed(OutcomeKind.UNKNOWN, "read_timeout")
    return _read_envelope(bytes(body))


def _read_envelope(body: bytes) -> Envelope:
    try:
        answer = json.loads(body.decode(), parse_float=Decimal)
    except (ValueError, RecursionError) as error:
        raise CallFailed(OutcomeKind.UNKNOWN, "not_json") from error
    if not isinstance(answer, dict) or not isinstance(answer.get("Success"), bool):
        raise CallFailed(OutcomeKind.UNKNOWN, "odd_envelope")
    message = answer.get("Message")
    return {
        "Success": answer["Success"],
        "Message": message if isinstance(message, str) else None,
        "Model": answer.get("Model"),
    }
