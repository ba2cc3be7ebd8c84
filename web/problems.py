"""What goes wrong, as RFC 9457 problem+json: the one table that gives domain errors their HTTP meaning.

Every error of the API ends here, the framework's own included. A problem never repeats what was sent.
"""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Final

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException

from kit.errors import BillbusError, InvalidMessage, NotFound, Refused, Transient

MEDIA_TYPE: Final = "application/problem+json"
RETRY_AFTER_SECONDS: Final = 2
FAULTS_SHOWN: Final = 20

# Codes of the journal and of handlers that do not mean 409.
STATUS_OF_CODE: Final[Mapping[str, int]] = {
    "not_found": 404,
    "idempotency_key_reused": 422,
    "off_grid": 422,
    "too_short": 422,
    "too_long": 422,
    "too_many_people": 422,
    "extra_not_available": 422,
    "extra_given_twice": 422,
    "quote_invalid": 422,
    "answer_too_large": 422,
}

TITLES: Final[Mapping[str, str]] = {
    "not_found": "There is no such thing here",
    "unknown_host": "No studio answers at this host",
    "invalid_request": "The request cannot be understood",
    "idempotency_key_reused": "This Idempotency-Key was used for another request",
    "idempotency_key_required": "This request needs an Idempotency-Key",
    "unauthenticated": "Sign in first",
    "secret_required": "Another address needs the secret again",
    "wrong_credentials": "E-mail or password is not right",
    "email_taken": "This e-mail is registered already",
    "too_many_tries": "Too many wrong passwords; wait before the next try",
    "forbidden": "Your role may not do this",
    "form_expired": "This form is out of date; open it again",
    "invitation_closed": "This invitation is used, withdrawn or expired",
    "last_owner": "A studio keeps one active owner",
    "own_account": "Nobody changes their own role or deactivates themselves",
    "too_many_invitations": "Too many invitations are open",
    "too_many_tokens": "Too many tokens are in use",
    "host_taken": "Another studio has this host",
    "body_too_large": "The body is too large",
    "body_too_slow": "The body took too long to arrive",
    "unavailable": "Try again in a moment",
    "internal_error": "Something went wrong on our side",
    "payment_in_progress": "A payment is being processed",
    "return_url_not_allowed": "The studio does not list this return_url's origin",
    "nothing_refundable": "There is no such sum to give back",
    "provider_not_available": "The studio takes no payments through this provider",
    "under_review": "People are looking into this",
    "subscription_ending": "The subscription ends with its period",
    "price_not_available": "This price is not for sale any more",
    "exceeds_refundable": "There is no such sum to give back",
    "provider_account_inactive": "The studio takes no payments through this provider",
    "transition_refused": "This cannot be done in the present state",
    "off_grid": "A time begins and ends on the hall's step",
    "too_short": "The time is shorter than the hall is booked for",
    "too_long": "The time is longer than the hall is booked for",
    "slot_in_the_past": "The time has begun already",
    "too_soon": "The time begins sooner than the hall takes bookings",
    "too_far": "The time is farther away than the hall takes bookings",
    "outside_hours": "The hall is not open for all of this time",
    "slot_taken": "The time is taken",
    "hall_not_for_sale": "The hall takes no bookings",
    "too_many_people": "The hall is too small for so many",
    "too_many_holds": "Pay for what is held, or let it go, before another booking",
    "too_many_on_site": "So many bookings that are to be paid on site are the most; pay for this one online",
    "extra_not_available": "This extra is not lent with this hall",
    "extra_given_twice": "An extra is named once, with how many of it",
    "extra_not_free": "There are not so many of this extra left at that time",
    "no_price": "The hall has no price yet",
    "exceeds_amount_limit": "The price is beyond what an invoice may carry",
    "quote_invalid": "This quote was not made for this",
    "quote_expired": "The quote's time is over; ask for another",
    "hold_expired": "The time to pay is over",
    "on_site_not_offered": "The studio takes no payment on site",
    "invoice_of_booking": "This invoice ends with its booking",
    "bookings_in_the_way": "There are bookings at that time",
    "visits_in_the_way": "There are visits at that time that are over and cannot be canceled",
    "already_blocked": "The hall is closed at that time already",
    "closed_in_the_past": "This time is over already",
    "not_due": "It is not time for this yet",
    "too_late_to_reschedule": "It is too late to move this booking",
    "too_late_to_pay_less": "Not everything would come back any more, so it is too late for a cheaper time",
    "surcharge_too_large": "This costs more in addition than is paid; book the rest anew, or ask the studio",
    "surcharge_unpaid": "Pay what the last move costs first",
    "booking_started": "The booking has begun",
    "answer_too_large": "Ask for fewer days",
}


class Problem(Exception):
    """An answer that is not the wanted one. `facts` are JSON values and become members of the body."""

    def __init__(
        self, status: int, code: str, *, headers: Mapping[str, str] | None = None, **facts: object
    ) -> None:
        self.status = status
        self.code = code
        self.headers = dict(headers or {})
        self.facts = facts
        super().__init__(status, code)


def invalid(*faults: tuple[str, str]) -> Problem:
    """422 with the places and what is wrong there, never the values."""
    return Problem(422, "invalid_request", errors=[{"at": at, "fault": fault} for at, fault in faults])


def not_found() -> Problem:
    """The same answer for what is absent and for what belongs to somebody else."""
    return Problem(404, "not_found")


def unauthenticated() -> Problem:
    return Problem(401, "unauthenticated", headers={"WWW-Authenticate": "Bearer"})


def unavailable() -> Problem:
    return Problem(503, "unavailable", headers={"Retry-After": str(RETRY_AFTER_SECONDS)})


def problem_body(status: int, code: str, facts: Mapping[str, object]) -> dict[str, object]:
    return {
        **facts,
        "type": f"urn:billbus:problem:{code}",
        "title": TITLES.get(code, HTTPStatus(status).phrase),
        "status": status,
        "code": code,
    }


def problem_response(problem: Problem) -> Response:
    body = problem_body(problem.status, problem.code, problem.facts)
    return Response(orjson.dumps(body), problem.status, problem.headers, MEDIA_TYPE)


def problem_of_refusal(recorded: Mapping[str, object]) -> Problem:
    """The problem for a refusal as the journal has it: `code` and its facts."""
    facts = {str(name): value for name, value in recorded.items() if name != "code"}
    code = str(recorded.get("code", "refused"))
    status = STATUS_OF_CODE.get(code, 409)
    return not_found() if status == 404 else Problem(status, code, facts=facts)


def problem_of_error(error: BillbusError) -> Problem:
    """One row per family of errors."""
    match error:
        case NotFound():
            return not_found()
        case Refused():
            return problem_of_refusal({"code": error.code, **error.facts})
        case InvalidMessage():
            return Problem(422, "invalid_request")
        case Transient():
            return unavailable()
        case _:
            return Problem(500, "internal_error")


def install(app: FastAPI) -> None:
    """Gives the application's errors their form. What is not listed is the edge's: a 500 without details."""

    @app.exception_handler(Problem)
    async def on_problem(_request: Request, error: Problem) -> Response:
        return problem_response(error)

    @app.exception_handler(BillbusError)
    async def on_domain_error(_request: Request, error: BillbusError) -> Response:
        return problem_response(problem_of_error(error))

    @app.exception_handler(RequestValidationError)
    async def on_invalid(_request: Request, error: RequestValidationError) -> Response:
        return problem_response(invalid(*_faults(error.errors())))

    @app.exception_handler(HTTPException)
    async def on_http_error(_request: Request, error: HTTPException) -> Response:
        if error.status_code == 404:
            return problem_response(not_found())
        code = HTTPStatus(error.status_code).phrase.lower().replace(" ", "_").replace("-", "_")
        return problem_response(Problem(error.status_code, code, headers=error.headers))

    @app.exception_handler(OperationalError)
    @app.exception_handler(PoolTimeout)
    async def on_database_away(_request: Request, _error: Exception) -> Response:
        return problem_response(unavailable())


def _faults(errors: Sequence[Mapping[str, object]]) -> list[tuple[str, str]]:
    # A field's name in `loc` may be the sender's own: only its place in our models is shown for unknown ones.
    return [(_place(error), str(error.get("type", "invalid"))) for error in errors[:FAULTS_SHOWN]]


def _place(error: Mapping[str, object]) -> str:
    location = error.get("loc", ())
    parts = [str(part) for part in location] if isinstance(location, tuple) else []
    if error.get("type") == "extra_forbidden":
        parts = parts[:-1]
    return ".".join(part for part in parts if len(part) <= 40 and part.isprintable())
