"""Parameters and answers that several resources share."""

from collections.abc import Callable
from functools import wraps
from typing import Annotated, Final, ParamSpec
from uuid import UUID

from fastapi import Depends, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, ConfigDict, Field

PAGE_LIMIT: Final = 100
PAGE_DEFAULT: Final = 20
_Sent = ParamSpec("_Sent")

_BEARER = HTTPBearer(auto_error=False, bearerFormat="JWT", description="The access token of a sign-in.")
Bearer = Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)]


class Body(BaseModel):
    """A request's body: nothing but what is declared."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Page(BaseModel):
    """Which part of a list: at most `limit` items, those after `cursor`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    limit: Annotated[int, Field(ge=1, le=PAGE_LIMIT)] = PAGE_DEFAULT
    cursor: Annotated[UUID | None, Field(description="`next_cursor` of the page before.")] = None


def show(view: BaseModel, status: int = 200, location: str | None = None) -> Response:
    """A view as an answer of a command endpoint."""
    headers = {"Location": location} if location else None
    return Response(view.model_dump_json(), status, headers, "application/json")


def shown(endpoint: Callable[_Sent, BaseModel]) -> Callable[_Sent, Response]:
    """An endpoint whose view is written where it was made.

    The framework would take another thread to validate the view again; the document shows it all the same.
    """

    @wraps(endpoint)
    def show_view(*args: _Sent.args, **named: _Sent.kwargs) -> Response:
        return show(endpoint(*args, **named))

    return show_view
