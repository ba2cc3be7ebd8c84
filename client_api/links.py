"""The pages behind the links in letters: what one may do, with one button, and how it went.

A letter's link says who may pay which invoice, keep which subscription from being renewed, or let which
booking go; there is no sign-in. Looking changes nothing, for programs that scan mail look at every link: only
the button does. The token is in the path alone, and paths are never logged.
"""

import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Final
from uuid import UUID

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from sqlalchemy import Connection, Engine
from starlette.concurrency import run_in_threadpool

from bus.messages import CancelBooking, CancelSubscription
from bus.outlet import Outlet
from client_api.linked import ABOUT
from client_api.pages.pages import show_page
from client_api.queries.links import find_locale
from client_api.queries.studios import get_studio
from client_api.routers.invoices import Payment, want_payment
from client_api.services import Services, ServicesOf, StudioId
from kit.ids import sha256
from notifications.formats import date_text, time_text, visit_text
from notifications.links import Link, LinkExpired, LinkInvalid, read_link
from storage.database import tenant
from storage.invoices import find_open_invoice
from web.commands import CommandRequest, Wanted, submit
from web.edge import CorrelationId, remote_address
from web.operations import Operation, find_operation
from web.problems import Problem
from web.waiting import AppliedWaiter

WAIT_SECONDS: Final = 5
REFRESH_SECONDS: Final = 3
PRESS_BYTES: Final = 16
_PRESS: Final = re.compile(r"[A-Za-z0-9_-]{8,64}")

router = APIRouter(prefix="/links", include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Holder:
    """Whoever holds a link, as a sender of commands. The studio is the one that the request came to."""

    operations_path: ClassVar[str] = ""

    services: Services = field(repr=False)
    link: Link

    @property
    def studio_id(self) -> UUID:
        return self.link.studio_id

    @property
    def principal(self) -> str:
        return f"link:{self.link.customer_id}"

    @property
    def engine(self) -> Engine:
        return self.services.engine

    @property
    def outlet(self) -> Outlet:
        return self.services.outlet

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        with tenant(self.engine, self.studio_id) as connection:
            yield connection


@router.get("/{token}")
def look(token: str, request: Request, services: ServicesOf, studio_id: StudioId) -> HTMLResponse:
    """What the link does, and its button while there is something to do."""
    holder = _holder_of(services, studio_id, token)
    if isinstance(holder, str):
        return _no_link(request, services, studio_id, holder)
    return _show(request, holder, None)


@router.post("/{token}")
def press(
    token: str,
    request: Request,
    services: ServicesOf,
    studio_id: StudioId,
    correlation_id: CorrelationId,
    press: Annotated[str, Form()] = "",
) -> Response:
    """Accepts the command and goes to where its outcome is shown. `press` is the page's: a double click is
    one command, another look at the page gives another try."""
    holder = _holder_of(services, studio_id, token)
    if isinstance(holder, str):
        return _no_link(request, services, studio_id, holder)
    if not _PRESS.fullmatch(press):
        return _show(request, holder, None)
    link = holder.link
    # Not the path: it has the token, and this is kept.
    sent = CommandRequest(
        method="POST",
        path=f"/links/{link.purpose}",
        key=f"{link.subject_id}/{press}",
        request_hash=sha256(f"{link.purpose}/{link.subject_id}/{press}".encode()),
        correlation_id=correlation_id,
        remote_address=remote_address(request),
    )
    try:
        command_id = submit(holder, sent, lambda connection: _want(connection, request, link))
    except Problem as problem:
        return _show(request, holder, problem.code)
    return RedirectResponse(f"/links/{token}/{command_id}", 303)


@router.get("/{token}/{command_id}")
async def see(
    token: str, command_id: UUID, request: Request, services: ServicesOf, studio_id: StudioId
) -> Response:
    """How it went: on to the payment page, the subscription's end, or why not. Waits a little, then looks
    again by itself."""
    holder = await run_in_threadpool(_holder_of, services, studio_id, token)
    if isinstance(holder, str):
        return await run_in_threadpool(_no_link, request, services, studio_id, holder)
    waiter: AppliedWaiter = request.app.state.waiter
    ticket = waiter.register(studio_id, command_id)
    try:
        operation = await run_in_threadpool(_find, holder, command_id)
        if operation is not None and operation.state == "accepted" and ticket is not None:
            await ticket.wait(WAIT_SECONDS)
            operation = await run_in_threadpool(_find, holder, command_id)
    finally:
        if ticket is not None:
            ticket.leave()
    return await run_in_threadpool(_outcome, request, holder, operation)


def _holder_of(services: Services, studio_id: UUID, token: str) -> Holder | str:
    """Who holds a link that works at this host; else the code of what is wrong with it."""
    key = services.settings.link_key
    if key is None:
        return LinkInvalid.code
    try:
        link = read_link(key.get_secret_value(), token, services.clock())
    except (LinkInvalid, LinkExpired) as error:
        return error.code
    return Holder(services, link) if link.studio_id == studio_id else LinkInvalid.code


def _no_link(request: Request, services: Services, studio_id: UUID, code: str) -> HTMLResponse:
    with tenant(services.engine, studio_id) as connection:
        studio = get_studio(connection, studio_id)
    is_over = code == LinkExpired.code
    word, status = ("link_expired", 410) if is_over else ("link_unknown", 404)
    return show_page(request, studio, "no_link.html", {"word": word}, status=status)


def _want(connection: Connection, request: Request, link: Link) -> Wanted:
    if link.purpose == "pay":
        return want_payment(connection, request, link.studio_id, link.customer_id, link.subject_id, Payment())
    if link.purpose == "cancel_booking":
        booking = CancelBooking(
            studio_id=link.studio_id,
            customer_id=link.customer_id,
            booking_id=link.subject_id,
            origin="customer",
        )
        return Wanted(booking, link.subject_id)
    command = CancelSubscription(
        studio_id=link.studio_id,
        customer_id=link.customer_id,
        subscription_id=link.subject_id,
        invoice_id=find_open_invoice(connection, link.subject_id),
        at_period_end=True,
    )
    return Wanted(command, link.subject_id)


def _find(holder: Holder, command_id: UUID) -> Operation | None:
    with holder.transaction() as connection:
        return find_operation(connection, command_id, holder.principal)


def _outcome(request: Request, holder: Holder, operation: Operation | None) -> Response:
    match operation.state if operation else None:
        case "applied" if operation and "attempt_id" in (operation.result or {}):
            return RedirectResponse(f"/pay/{_text(operation.result, 'attempt_id')}", 303)
        case "refused" if operation:
            return _show(request, holder, _text(operation.problem, "code"))
        case "accepted" | "parked":
            return _show(request, holder, None, is_working=True)
        case _:
            return _show(request, holder, None)


def _text(facts: Mapping[str, object] | None, name: str) -> str:
    return str((facts or {}).get(name, ""))


def _show(request: Request, holder: Holder, problem: str | None, *, is_working: bool = False) -> HTMLResponse:
    link = holder.link
    with holder.transaction() as connection:
        studio = get_studio(connection, link.studio_id)
        locale = find_locale(connection, link.customer_id)
        facts = ABOUT[link.purpose](connection, link, studio.now(holder.services.clock()))
    if facts is None or locale is None:
        return show_page(request, studio, "no_link.html", {"word": "link_unknown"}, status=404)
    return show_page(
        request,
        studio,
        "link.html",
        {
            "about": facts,
            "timezone": studio.timezone,
            "date_text": date_text,
            "time_text": time_text,
            "visit_text": visit_text,
            "problem": problem,
            "is_working": is_working,
            "refresh_seconds": REFRESH_SECONDS,
            "form_path": f"/links/{request.path_params['token']}",
            "press": secrets.token_urlsafe(PRESS_BYTES),
        },
        locale=locale,
    )
