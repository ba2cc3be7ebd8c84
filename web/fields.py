"""Parameters and answers that several resources share."""

from typing import Annotated, Final
from uuid import UUID

from fastapi import Response
from pydantic import BaseModel, ConfigDict, Field

PAGE_LIMIT: Final = 100
PAGE_DEFAULT: Final = 20


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
