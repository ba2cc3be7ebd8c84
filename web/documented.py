"""What every endpoint's OpenAPI entry says beside its own answer."""

from typing import Any

from pydantic import BaseModel

from web.problems import MEDIA_TYPE
from web.views import OperationView, ProblemView

_WORDS = {
    401: "No valid access token",
    403: "Your role may not do this",
    404: "Absent, or not yours",
    409: "Refused in the present state",
    413: "The body is over 64 KiB",
    422: "Not understood; the values sent are not repeated",
    429: "Too many tries; `Retry-After` says when to try again",
    503: "Storage is away; `Retry-After` says when to try again",
}

Responses = dict[int | str, dict[str, Any]]


def problems(*statuses: int) -> Responses:
    """These statuses and the ones that any request may get, as problem+json."""
    return {
        status: {
            "description": _WORDS[status],
            "content": {MEDIA_TYPE: {"schema": ProblemView.model_json_schema()}},
        }
        for status in sorted({*statuses, 422, 503})
    }


def command_answers(done: int, view: type[BaseModel]) -> Responses:
    """An applied command answers `done` with the resource; one still on its way 202."""
    return {
        done: {"model": view, "description": "Applied"},
        202: {
            "model": OperationView,
            "description": "Accepted: it will be applied. `Location` is where its answer will be.",
            "headers": {"Location": {"schema": {"type": "string"}}},
        },
        **problems(401, 404, 409, 413),
    }
