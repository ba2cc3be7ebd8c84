"""What the application that mounts the routes of bookings lends them: engine, clock, key, who asks and where.

Filled in by the client API when it is put together; the endpoints of this room get their parts from here.
Who may sign in, and which host is which studio's, is decided there.
"""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Final, Protocol
from uuid import UUID

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials
from sqlalchemy import Connection, Engine

from kit.clock import Clock
from storage.database import tenant
from web.commands import Sender
from web.fields import Bearer

# Where the client API has what programs call.
PREFIX: Final = "/api/v1"


class Customer(Sender, Protocol):
    """A signed-in customer of one studio."""

    @property
    def customer_id(self) -> UUID: ...


@dataclass(frozen=True, slots=True)
class Doors:
    """The ways in. `find_studio` raises Problem 404 for a host of nobody's, `find_customer` Problem 401."""

    engine: Engine
    clock: Clock
    quote_key: bytes = field(repr=False)
    find_studio: Callable[[Request], Awaitable[UUID]]
    find_customer: Callable[[Request, HTTPAuthorizationCredentials | None], Awaitable[Customer]]


@dataclass(frozen=True, slots=True)
class Visit:
    """Anybody's look at one studio."""

    doors: Doors
    studio_id: UUID

    def clock(self) -> datetime:
        return self.doors.clock()

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        with tenant(self.doors.engine, self.studio_id) as connection:
            yield connection


# Coroutines, for those that are not cost a thread each; none of them may block.
async def get_doors(request: Request) -> Doors:
    doors = request.app.state.doors
    assert isinstance(doors, Doors)
    return doors


async def get_visit(request: Request, doors: "DoorsOf") -> Visit:
    return Visit(doors, await doors.find_studio(request))


async def get_customer(request: Request, doors: "DoorsOf", credentials: Bearer) -> Customer:
    return await doors.find_customer(request, credentials)


DoorsOf = Annotated[Doors, Depends(get_doors)]
Visitor = Annotated[Visit, Depends(get_visit)]
SignedIn = Annotated[Customer, Depends(get_customer)]
