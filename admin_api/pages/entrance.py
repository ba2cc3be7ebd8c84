"""The way in and out: the sign-in page, the sign-out question, and the page of an invitation.

These forms come from people without a sign-in, so no token can be in them; the guard has made sure that one
of our own pages sent them.
"""

from collections.abc import Mapping
from typing import Any, Final

from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from admin_api.pages.doors import HOME, SIGN_IN, desk_of, language_of, safe_next, studio_at_door
from admin_api.pages.frame import problem_text, tell
from admin_api.pages.site import Site
from admin_api.pages.typed import read_form
from admin_api.people.browser import sign_in, sign_out
from admin_api.people.cookies import forget_cookie, set_cookie
from admin_api.people.invitations import Newcomer, accept_invitation
from admin_api.routers.staff import Acceptance
from web.credentials import PASSWORD_LENGTH_MIN
from web.edge import remote_address
from web.problems import Problem

INVITATION: Final = "/admin/invitation"


async def show_sign_in(site: Site, request: Request) -> Response:
    """The sign-in form; `next` is where to go afterwards."""
    await _stand_at_door(site, request)
    said = tell(request, "sign_in.signed_out") if "out" in request.query_params else ""
    return await _sign_in_page(site, request, safe_next(request.query_params.get("next")), said=said)


async def sign_in_here(site: Site, request: Request) -> Response:
    """A cookie and the way on, or the form again with the reason."""
    await _stand_at_door(site, request)
    form = await read_form(request)
    email, onward = form.get("email", ""), safe_next(form.get("next"))
    try:
        signed_in = await run_in_threadpool(
            sign_in,
            site.services,
            request.state.studio.id,
            email,
            form.get("password", ""),
            remote_address=remote_address(request),
            correlation_id=request.state.correlation_id,
        )
    except Problem as problem:
        fault = problem_text(request, problem.code, problem.facts, problem.status)
        response = await _sign_in_page(site, request, onward, problem.status, email=email, fault=fault)
        if "Retry-After" in problem.headers:
            response.headers["Retry-After"] = problem.headers["Retry-After"]
        return response
    response = RedirectResponse(onward, 303)
    set_cookie(response, site.services.settings, signed_in)
    return response


async def show_sign_out(site: Site, request: Request) -> Response:
    """Asks whether to sign out: a link, a prefetch or a picture's address ends nothing."""
    return await site.page(request, "sign_out.html", {"title": tell(request, "sign_out.title")})


async def sign_out_here(site: Site, request: Request) -> Response:
    """Ends this browser's sign-in for good; its cookie is worth nothing from now on."""
    await run_in_threadpool(sign_out, desk_of(request))
    response = RedirectResponse(f"{SIGN_IN}?out=1", 303)
    forget_cookie(response, site.services.settings)
    return response


async def show_invitation(site: Site, request: Request) -> Response:
    """Where an invitation's link leads. Its token stands behind the `#`, which no server is ever sent."""
    await _stand_at_door(site, request)
    return await _invitation_page(site, request, {})


async def accept_invitation_here(site: Site, request: Request) -> Response:
    """Makes the member and signs them in, or says what is wrong."""
    await _stand_at_door(site, request)
    form = await read_form(request)
    try:
        sent = Acceptance.model_validate({**form, "locale": language_of(request)})
        signed_in = await run_in_threadpool(
            accept_invitation,
            site.services,
            request.state.studio.id,
            sent.token.get_secret_value(),
            sent.password.get_secret_value(),
            Newcomer(sent.name, sent.locale),
            remote_address=remote_address(request),
            correlation_id=request.state.correlation_id,
        )
    except ValidationError as error:
        wrong = {str(one["loc"][0]) for one in error.errors() if one["loc"]}
        faults = [
            tell(request, f"invitation.fault.{name}")
            for name in ("token", "name", "password")
            if name in wrong
        ]
        return await _invitation_page(site, request, form, " ".join(faults), 422)
    except Problem as problem:
        code = "invitation_closed" if problem.status == 404 else problem.code
        fault = problem_text(request, code, problem.facts, problem.status)
        return await _invitation_page(site, request, form, fault, problem.status)
    response = RedirectResponse(HOME, 303)
    set_cookie(response, site.services.settings, signed_in)
    return response


async def _stand_at_door(site: Site, request: Request) -> None:
    request.state.studio = await run_in_threadpool(studio_at_door, request, site.services)


async def _sign_in_page(
    site: Site,
    request: Request,
    onward: str,
    status: int = 200,
    *,
    email: str = "",
    said: str = "",
    fault: str = "",
) -> Response:
    context: dict[str, Any] = {
        "title": tell(request, "sign_in.title"),
        "next": onward if onward != HOME else "",
        "email": email,
        "said": said,
        "fault": fault,
    }
    return await site.page(request, "sqladmin/login.html", context, status)


async def _invitation_page(
    site: Site, request: Request, typed: Mapping[str, str], fault: str = "", status: int = 200
) -> Response:
    context = {
        "title": tell(request, "invitation.title"),
        "token": typed.get("token", ""),
        "name": typed.get("name", ""),
        "length_min": PASSWORD_LENGTH_MIN,
        "fault": fault,
    }
    return await site.page(request, "invitation.html", context, status)
