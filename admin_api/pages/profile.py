"""One's own page: who one is, where one is signed in, which tokens one has, and the forms for all that."""

from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from admin_api.actions.registry import ACTIONS
from admin_api.desk import Desk
from admin_api.listings.people import TokenRow, own_sign_ins
from admin_api.pages.buttons import Button, button_of
from admin_api.pages.cells import Cell, Fact, cell_of, label_of
from admin_api.pages.doors import desk_of
from admin_api.pages.frame import tell
from admin_api.pages.site import Site
from admin_api.pages.watching import notice_of

_OWN_ACTIONS: Final = ("change_password", "set_language")


async def show_profile(site: Site, request: Request) -> Response:
    """The page of whoever asks."""
    desk = desk_of(request)
    signed_in = await run_in_threadpool(own_sign_ins, desk)
    context = {
        "title": tell(request, "menu.profile"),
        "facts": _facts(request, desk),
        "buttons": [button_of(request, ACTIONS[name], None) for name in _OWN_ACTIONS],
        "sign_ins": [_row(request, desk, one) for one in signed_in if one.kind == "browser"],
        "tokens": [_row(request, desk, one) for one in signed_in if one.kind == "token"],
        "new_token": button_of(request, ACTIONS["create_token"], None),
        "notice": await run_in_threadpool(notice_of, request),
    }
    return await site.page(request, "profile.html", context)


def _facts(request: Request, desk: Desk) -> list[Fact]:
    person = desk.person
    shown = {"name": person.name, "email": person.email, "role": person.role}
    facts = [
        Fact(label_of(request, "staff", name), cell_of(request, "staff", name, value))
        for name, value in shown.items()
    ]
    return [*facts, Fact(tell(request, "language.label"), Cell(tell(request, f"language.{person.locale}")))]


def _row(request: Request, desk: Desk, one: TokenRow) -> dict[str, object]:
    is_current = one.id == desk.person.session_id
    action = ACTIONS["end_sign_in" if one.kind == "browser" else "revoke_token"]
    button: Button | None = None if is_current else button_of(request, action, one.id)
    return {
        "label": one.label or tell(request, "profile.this_browser" if is_current else "profile.browser"),
        "created": cell_of(request, "tokens", "created_at", one.created_at),
        "expires": cell_of(request, "tokens", "expires_at", one.expires_at),
        "button": button,
    }
