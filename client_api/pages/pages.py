"""The routes of the pages. They read through the rooms' own queries and send nothing but a demo sign-in."""

from collections.abc import Mapping
from importlib.resources import files
from typing import Final
from uuid import UUID

import orjson
from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse
from fastapi.staticfiles import StaticFiles
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from client_api.pages.halls import list_hall_cards
from client_api.pages.phases import CHANGING, Phase, decide_phase
from client_api.pages.words import Language, choose_language, words_of
from client_api.queries.catalog import list_plans
from client_api.queries.payments import Attempt, find_attempt
from client_api.queries.people import Customer, find_customer_by_email, insert_customer
from client_api.queries.studios import Studio, get_studio
from client_api.return_urls import origin_of
from client_api.routers.authentication import sign_in
from client_api.services import Services, ServicesOf, StudioId
from client_api.views import TokensView
from kit.ids import new_id
from notifications.formats import money_text, time_text
from notifications.money import Money
from providers.cloudpayments.widget import widget_json
from storage.database import tenant
from web.problems import not_found

DEMO_EMAIL: Final = "demo@example.org"
REFRESH_SECONDS: Final = 3
_POLICY: Final = (
    "default-src 'none'; script-src 'self'{0}; style-src 'self'; img-src 'self' data:{0}; "
    "connect-src 'self'{0}; frame-src{1}; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

router = APIRouter(include_in_schema=False)
_templates = Environment(
    loader=PackageLoader("client_api.pages"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
)


def mount(app: FastAPI) -> None:
    """The pages' own styles and scripts."""
    app.mount("/static", StaticFiles(directory=str(files("client_api.pages") / "static")))


@router.get("/")
def home(request: Request, services: ServicesOf, studio_id: StudioId) -> HTMLResponse:
    """What is sold here; the script adds what is the visitor's own."""
    with tenant(services.engine, studio_id) as connection:
        studio = get_studio(connection, studio_id)
        now = studio.now(services.clock())
        plans = list_plans(connection, now)
        halls = list_hall_cards(connection, now)
    own = {"plans": plans, "has_halls": bool(halls), "demo": services.settings.demo_sign_in}
    return show_page(request, studio, "home.html", own)


@router.get("/book")
def book(request: Request, services: ServicesOf, studio_id: StudioId) -> HTMLResponse:
    """The halls; the script finds a free time, what it costs, and holds it. It moves a booking as well."""
    with tenant(services.engine, studio_id) as connection:
        studio = get_studio(connection, studio_id)
        now = studio.now(services.clock())
        halls = list_hall_cards(connection, now)
    own = {
        "halls": halls,
        "halls_json": _json_in_page([hall.facts for hall in halls]),
        "now": now.isoformat(),
        "demo": services.settings.demo_sign_in,
    }
    return show_page(request, studio, "book.html", own)


@router.get("/bookings/{booking_id}")
def booking(booking_id: str, request: Request, services: ServicesOf, studio_id: StudioId) -> HTMLResponse:
    """One booking, for the script to fill: whose it is, or whether there is one, only the API may tell."""
    with tenant(services.engine, studio_id) as connection:
        studio = get_studio(connection, studio_id)
    try:
        own_id = UUID(booking_id)
    except ValueError:
        return show_page(request, studio, "missing.html", {}, status=404)
    own = {
        "booking_id": own_id,
        "now": studio.now(services.clock()).isoformat(),
        "demo": services.settings.demo_sign_in,
    }
    return show_page(request, studio, "booking.html", own)


@router.post("/demo/sign-in")
def demo_sign_in(services: ServicesOf, studio_id: StudioId) -> TokensView:
    """Signs in a customer without a password, where the installation is a demo. Raises Problem 404."""
    if not services.settings.demo_sign_in:
        raise not_found()
    with tenant(services.engine, studio_id) as connection:
        insert_customer(connection, studio_id, Customer(new_id(), DEMO_EMAIL, "Demo", "ru", None))
        customer = find_customer_by_email(connection, DEMO_EMAIL)
        assert customer is not None
        return sign_in(connection, services, studio_id, customer)


@router.get("/pay/{attempt_id}")
def pay(attempt_id: str, request: Request, services: ServicesOf, studio_id: StudioId) -> HTMLResponse:
    """The provider's widget, or the way to its page; once it is decided, how it went."""
    studio, attempt = _look_up(services, studio_id, attempt_id)
    if attempt is None:
        return show_page(request, studio, "missing.html", {}, status=404)
    phase = decide_phase(attempt)
    if phase not in (Phase.OFFERED, Phase.PREPARING):
        return _payment_page(request, studio, "done.html", attempt, phase, {})
    return _pay_page(request, studio, attempt, phase)


@router.get("/pay/{attempt_id}/done")
def done(attempt_id: str, request: Request, services: ServicesOf, studio_id: StudioId) -> HTMLResponse:
    """Where the payer comes back to. It says what is known, and looks again by itself."""
    studio, attempt = _look_up(services, studio_id, attempt_id)
    if attempt is None:
        return show_page(request, studio, "missing.html", {}, status=404)
    return _payment_page(request, studio, "done.html", attempt, decide_phase(attempt), {})


@router.get("/pay/{attempt_id}/status")
def status(attempt_id: str, services: ServicesOf, studio_id: StudioId) -> JSONResponse:
    """What the page's script asks: has anything changed? Raises Problem 404."""
    _, attempt = _look_up(services, studio_id, attempt_id)
    if attempt is None:
        raise not_found()
    return JSONResponse({"phase": _mark(attempt, decide_phase(attempt))})


def _look_up(services: Services, studio_id: UUID, attempt_text: str) -> tuple[Studio, Attempt | None]:
    with tenant(services.engine, studio_id) as connection:
        studio = get_studio(connection, studio_id)
        try:
            return studio, find_attempt(connection, UUID(attempt_text))
        except ValueError:
            return studio, None


def _mark(attempt: Attempt, phase: Phase) -> str:
    """Changes whenever the page would look different."""
    return f"{phase.value}-{attempt.declines}-{'link' if attempt.redirect_url else ''}"


def _pay_page(request: Request, studio: Studio, attempt: Attempt, phase: Phase) -> HTMLResponse:
    script_origin = origin_of(attempt.widget_script_url) if attempt.is_payable_by_widget else None
    done_url = f"{request.url.scheme}://{request.url.netloc}{attempt.pay_path}/done"
    redirect_url = attempt.redirect_url if attempt.redirect_url and phase is Phase.OFFERED else None
    return _payment_page(
        request,
        studio,
        "pay.html",
        attempt,
        phase,
        {
            # Already safe inside a script element, and exact: escaping it again would break it.
            "widget": Markup(widget_json(attempt.widget(done_url))) if script_origin else None,  # noqa: S704
            "redirect_url": redirect_url if redirect_url and origin_of(redirect_url) else None,
        },
        script_origin,
    )


def _payment_page(
    request: Request,
    studio: Studio,
    template: str,
    attempt: Attempt,
    phase: Phase,
    more: Mapping[str, object],
    script_origin: str | None = None,
) -> HTMLResponse:
    return show_page(
        request,
        studio,
        template,
        {
            "attempt": attempt,
            "phase": _phase_words(attempt, phase),
            "is_offered": phase is Phase.OFFERED,
            "is_changing": phase in CHANGING,
            "mark": _mark(attempt, phase),
            "time_text": time_text,
            "refresh_seconds": REFRESH_SECONDS,
            **more,
        },
        script_origin=script_origin,
    )


def _phase_words(attempt: Attempt, phase: Phase) -> str:
    if phase is Phase.OFFERED and attempt.declines:
        return "offered_again"
    if phase is Phase.KEPT and attempt.booking_id:
        return "kept_booking"
    return phase.value


def show_page(
    request: Request,
    studio: Studio,
    template: str,
    more: Mapping[str, object],
    *,
    status: int = 200,
    script_origin: str | None = None,
    locale: str | None = None,
) -> HTMLResponse:
    """A page of the studio, in the language that the visitor asks for. `locale` is that of a customer who is
    known: then what the browser prefers does not count."""
    accepted = "" if locale else request.headers.get("accept-language", "")
    language = choose_language(request.query_params.get("lang"), accepted, locale or studio.locale)
    words = words_of(language)
    asked = request.query_params.get("lang")
    # Once a visitor has asked for a language, the next page is in it too.
    suffix = f"?lang={language}" if asked == language else ""
    text = _templates.get_template(template).render(
        studio=studio,
        suffix=suffix,
        language=language,
        other_language=_other(language),
        path=request.url.path,
        words=words,
        words_json=_json_in_page({**words, "language": language}),
        money=lambda amount_minor, currency: money_text(Money(amount_minor, currency), language),
        **more,
    )
    origin = f" {script_origin}" if script_origin else ""
    headers = {
        "Content-Security-Policy": _POLICY.format(origin, origin or " 'none'"),
        "Vary": "Accept-Language",
        "Content-Language": language,
    }
    return HTMLResponse(text, status, headers)


def _other(language: Language) -> Language:
    return "en" if language == "ru" else "ru"


def _json_in_page(value: object) -> Markup:
    text = orjson.dumps(value).decode()
    return Markup(text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"))  # noqa: S704
