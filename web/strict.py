"""Reads requests strictly: JSON that means one thing only, queries that name each parameter once.

The route class of every JSON endpoint. What it refuses never reaches an endpoint.
"""

import json
from collections.abc import Callable, Coroutine
from math import isfinite
from typing import Any, Final
from urllib.parse import parse_qsl

from fastapi import Request, Response
from fastapi.routing import APIRoute

from web.problems import Problem, invalid

DEPTH_LIMIT: Final = 16
QUERY_PARAMETERS_LIMIT: Final = 50
INTEGER_LIMIT: Final = 2**63 - 1


class UnstorableText(ValueError):
    """A text that no column and no UTF-8 message can hold: NUL or half a surrogate pair."""


def strict_json(body: bytes) -> object:
    """The value of a JSON text without repeated keys, NaN, NUL, numbers beyond 64 bits, or deep nesting.

    Raises Problem 422.
    """
    try:
        value = json.loads(
            body.decode(),
            object_pairs_hook=_unique,
            parse_constant=_refuse,
            parse_float=_finite,
            parse_int=_whole,
        )
        _check(value, DEPTH_LIMIT)
    except (ValueError, RecursionError):
        raise invalid(("body", "not_strict_json")) from None
    return value


def storable(text: str) -> str:
    """The text itself. Raises UnstorableText."""
    if "\x00" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
        raise UnstorableText
    return text


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member is given twice")
    return members


def _refuse(_name: str) -> object:
    raise ValueError("not a number")


def _finite(digits: str) -> float:
    number = float(digits)
    if not isfinite(number):
        raise ValueError("out of range")
    return number


def _whole(digits: str) -> int:
    number = int(digits)
    if abs(number) > INTEGER_LIMIT:
        raise ValueError("out of range")
    return number


def _check(value: object, depth_left: int) -> None:
    if depth_left == 0:
        raise ValueError("nested too deep")
    match value:
        case str():
            storable(value)
        case list():
            for item in value:
                _check(item, depth_left - 1)
        case dict():
            for name, item in value.items():
                storable(name)
                _check(item, depth_left - 1)


class _StrictRequest(Request):
    """A request whose JSON was read once, strictly."""

    strict_value: object = None

    async def json(self) -> Any:
        return self.strict_value


def check_query(raw_query: bytes) -> None:
    """Raises Problem 422 for a parameter given twice, or text that cannot be stored."""
    try:
        pairs = parse_qsl(
            raw_query.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=QUERY_PARAMETERS_LIMIT,
        )
        if len(dict(pairs)) != len(pairs):
            raise ValueError("a parameter is given twice")
        for name, value in pairs:
            storable(name)
            storable(value)
    except ValueError:
        raise invalid(("query", "not_strict")) from None


class StrictRoute(APIRoute):
    """Reads strictly before the endpoint runs."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        inner = super().get_route_handler()

        async def handle(request: Request) -> Response:
            check_query(request.scope["query_string"])
            strict = _StrictRequest(request.scope, request.receive)
            body = await strict.body()
            if body:
                if not request.headers.get("content-type", "").lower().startswith("application/json"):
                    raise Problem(415, "unsupported_media_type")
                strict.strict_value = strict_json(body)
                request.state.json_body = strict.strict_value
            return await inner(strict)

        return handle
