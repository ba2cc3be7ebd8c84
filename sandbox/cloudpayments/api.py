"""The provider's HTTP API: authorization, calls in flight, request ids, faults, then the operation.

Mounted by `app`. The body is read once, as bytes; numbers in it stay exact.
"""

import base64
import binascii
import hashlib
import json
import secrets
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Final
from urllib.parse import parse_qsl

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from sandbox.cloudpayments.faults import answer_after, fails_before, server_error
from sandbox.cloudpayments.operations import OPERATIONS, Desk, Effect, Fields, refusal
from sandbox.cloudpayments.records import Result, Site

BODY_LIMIT_BYTES: Final = 256 * 1024
TEST_CALLS_IN_FLIGHT: Final = 5
LIVE_CALLS_IN_FLIGHT: Final = 30


async def read_body(request: Request) -> bytes | None:
    """Read the body, or None when it is over the limit."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_LIMIT_BYTES:
            return None
    return bytes(body)


class Api:
    """All API routes over one desk."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._in_flight: Counter[str] = Counter()
        self._counting = threading.Lock()

    def routes(self) -> list[Route]:
        """Give one POST route per operation."""
        return [Route(f"/{endpoint}", self._receive, methods=["POST"]) for endpoint in OPERATIONS]

    async def _receive(self, request: Request) -> Response:
        body = await read_body(request)
        if body is None:
            return PlainTextResponse("Body is too large", status_code=413)
        return await run_in_threadpool(self._call, request, body)

    def _call(self, request: Request, body: bytes) -> Response:
        site = self._authorize(request.headers.get("authorization", ""))
        if site is None:
            return PlainTextResponse("Unauthorized", status_code=401)
        with self._slot(site) as is_free:
            if not is_free:
                return PlainTextResponse("Too many requests", status_code=429)
            return self._call_with_faults(site, request, body)

    def _call_with_faults(self, site: Site, request: Request, body: bytes) -> Response:
        desk = self._desk
        endpoint = request.url.path.strip("/")
        request_id = request.headers.get("x-request-id")
        digest = hashlib.sha256(body).hexdigest()
        facts = {
            "endpoint": endpoint,
            "public_id": site.public_id,
            "request_id": request_id,
            "body": body.decode("utf-8", "replace"),
            "body_sha256": digest,
        }
        desk.books.record("request", desk.clock(), facts={**facts})
        if fails_before(desk.books, endpoint, desk.clock()):
            return server_error()
        fields = _read_fields(body, request.headers.get("content-type", ""))
        with desk.books.lock:
            status, answer, callback_ids = self._once(site, endpoint, request_id, digest, fields)
        response = Response(answer, status, media_type="application/json")
        try:
            return answer_after(
                desk.books, endpoint, desk.clock(), response, lambda: desk.courier.deliver(callback_ids)
            )
        finally:
            desk.courier.wake()

    def _once(
        self, site: Site, endpoint: str, request_id: str | None, digest: str, fields: Fields | None
    ) -> tuple[int, str, list[int]]:
        """Do the operation, unless its request id was answered within the hour."""
        desk = self._desk
        known = desk.books.remembered(site.public_id, request_id, desk.clock()) if request_id else None
        if known is not None:
            if (known.endpoint, known.body_sha256) == (endpoint, digest):
                return 200, known.answer, []
            facts = {"what": "request id used again with another body", "request_id": request_id}
            desk.books.record("violation", desk.clock(), facts={**facts, "endpoint": endpoint})
            return 400, '{"Success":false,"Message":"X-Request-ID was used with another body"}', []
        effect = (
            refusal("Body cannot be read") if fields is None else OPERATIONS[endpoint](desk, site, fields)
        )
        answer = orjson.dumps(effect.answer).decode()
        if effect.kind:
            self._record(effect, site, endpoint, request_id, digest, answer)
        return 200, answer, [row.callback_id for row in effect.callbacks]

    def _record(
        self, effect: Effect, site: Site, endpoint: str, request_id: str | None, digest: str, answer: str
    ) -> None:
        now = self._desk.clock()
        result = Result(site.public_id, request_id, endpoint, digest, answer, now) if request_id else None
        self._desk.books.record(
            effect.kind,
            now,
            site=effect.site,
            order=effect.order,
            transaction=effect.transaction,
            callbacks=effect.callbacks,
            result=result,
        )

    def _authorize(self, header: str) -> Site | None:
        scheme, _, credentials = header.partition(" ")
        try:
            login, _, password = base64.b64decode(credentials, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None
        site = self._desk.books.sites.get(login)
        is_known = site is not None and secrets.compare_digest(site.secret.encode(), password.encode())
        return site if scheme.lower() == "basic" and is_known else None

    @contextmanager
    def _slot(self, site: Site) -> Iterator[bool]:
        """Count the calls of a site that are in flight; the one above the cap is turned away."""
        limit = TEST_CALLS_IN_FLIGHT if site.is_test else LIVE_CALLS_IN_FLIGHT
        with self._counting:
            is_free = self._in_flight[site.public_id] < limit
            self._in_flight[site.public_id] += is_free
        try:
            yield is_free
        finally:
            with self._counting:
                self._in_flight[site.public_id] -= is_free


def _read_fields(body: bytes, content_type: str) -> Fields | None:
    try:
        if "json" not in content_type:
            return dict(parse_qsl(body.decode(), keep_blank_values=True))
        fields = json.loads(body or b"{}", parse_float=Decimal)
    except ValueError:
        return None
    return fields if isinstance(fields, dict) else None
