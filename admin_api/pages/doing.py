"""Every button: a form, what it would do, and the POST that does it. One way for all actions.

A GET only shows. What was typed is sent by POST, to see what it would do and from there again to do it: no
address is long enough for a command's body, and none should hold a reason. A POST counts when its form was
made here, for this sign-in and this path, and was sent from one of our pages; its key makes a second sending
the same request. A command is accepted, and the page of its subject tells what becomes of it; a direct write
is done at once; a secret is in the POST's answer alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Final, get_args
from urllib.parse import urlencode
from uuid import UUID

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from admin_api.actions.action import Action, Done, request_of
from admin_api.actions.registry import ACTIONS, foresee, perform
from admin_api.listings import LISTINGS
from admin_api.pages.buttons import effect_words, form_path, heading_of, listing_of, page_of
from admin_api.pages.doors import desk_of
from admin_api.pages.entrance import INVITATION
from admin_api.pages.fields import Choice, Field, fields_of, shown_values, typed_values
from admin_api.pages.frame import problem_text, tell
from admin_api.pages.in_the_way import WayOut, named_bookings, way_out
from admin_api.pages.other_times import other_times
from admin_api.pages.schemas import TERM_SUFFIX, defaults_of, fields_typed
from admin_api.pages.site import Site
from admin_api.pages.typed import faults_of, inner_facts, read_form, read_typed
from admin_api.pages.words import knows
from admin_api.people.forms import check_form, new_form
from admin_api.queries.lookups import LookUp, look_up
from kit.errors import Refused
from web.problems import Problem, not_found, problem_of_error

# What a form says beside its fields: show what it would do, show it again, search for what a picker asks.
PREVIEW: Final = "preview"
CHANGE: Final = "change"
SEARCH: Final = "look_up"
_LOOK_UPS: Final[dict[str, LookUp]] = {name: name for name in get_args(LookUp)}
# What these give away once is somebody's invitation.
INVITING: Final = frozenset({"invite_staff", "invite_platform_admin", "create_studio"})


@dataclass(frozen=True, slots=True)
class Wish:
    """An action somebody is about to do, and the thing that it is about."""

    action: Action
    subject_id: UUID | None
    subject_title: str = ""

    @property
    def path(self) -> str:
        return form_path(self.action, self.subject_id)

    @property
    def back(self) -> str:
        """The page that the person comes from and goes back to."""
        return page_of(self.action, self.subject_id)


async def show_form(site: Site, request: Request) -> Response:
    """The form, begun with what the address says; where nothing is asked, what it would do."""
    wish = await run_in_threadpool(_read_wish, request)
    if wish.action.preview is not None and not wish.action.body.model_fields:
        return await _show_effect(site, request, wish, {})
    begun = await run_in_threadpool(_begin, request, wish)
    return await _show_fields(site, request, wish, {**begun, **request.query_params})


async def take_form(site: Site, request: Request) -> Response:
    """Whatever button was pressed: shows the effect, the form again, or does it, once for each form.

    Raises Problem 403 for a form that is not ours to take.
    """
    wish = await run_in_threadpool(_read_wish, request)
    typed = await read_form(request)
    key = typed.pop("form_key", "")
    check_form(site.services, desk_of(request), wish.path, key, typed.pop("form_token", ""))
    if CHANGE in typed or SEARCH in typed:
        return await _show_fields(site, request, wish, typed)
    if PREVIEW in typed and wish.action.preview is not None:
        return await _show_effect(site, request, wish, typed)
    return await _do(site, request, wish, typed, key)


async def _do(site: Site, request: Request, wish: Wish, typed: Mapping[str, str], key: str) -> Response:
    read = read_typed(request, wish.action, typed)
    if read.body is None:
        return await _show_fields(site, request, wish, typed, read.faults, status=422)
    desk = desk_of(request)
    sent = request_of(desk, wish.action, wish.subject_id, read.body, key)
    try:
        done = await run_in_threadpool(perform, desk, wish.action, sent, wish.subject_id, read.body)
    except (Problem, Refused) as no:
        return await _show_refusal(site, request, wish, typed, no)
    return await _show_done(site, request, wish, typed, done)


def _read_wish(request: Request) -> Wish:
    """Raises Problem 403, or 404 for what is not there, the action or the thing."""
    action = ACTIONS.get(request.path_params["action"])
    given = request.path_params.get("subject_id")
    if action is None or (given is None) != (action.subject is None):
        raise not_found()
    desk_of(request).require(action.permission)
    if given is None:
        return Wish(action, None)
    try:
        subject_id = UUID(given)
    except ValueError:
        raise not_found() from None
    return Wish(action, subject_id, _title_of(request, str(action.subject), subject_id))


def _title_of(request: Request, listing: str, thing_id: UUID) -> str:
    """The heading of the thing's page, empty when it has none. Raises Problem 404."""
    found = LISTINGS.get(listing)
    if found is None or found.detail is None:
        return ""
    return heading_of(request, listing, found.detail(desk_of(request), thing_id))


def _begin(request: Request, wish: Wish) -> dict[str, str]:
    values = defaults_of(wish.action)
    if wish.action.initial is not None and wish.subject_id is not None:
        with desk_of(request).transaction() as connection:
            values |= wish.action.initial(connection, wish.subject_id)
    return typed_values(request, wish.action, values)


async def _show_fields(
    site: Site,
    request: Request,
    wish: Wish,
    typed: Mapping[str, str],
    faults: Mapping[str, str] | None = None,
    *,
    refusal: str = "",
    problem: Mapping[str, object] | None = None,
    status: int = 200,
) -> Response:
    fields = await run_in_threadpool(
        _complete, request, fields_of(request, wish.action, typed, faults or {}), typed
    )
    is_foreseen = wish.action.preview is not None
    context = {
        **_about(request, wish),
        "fields": fields,
        "refusal": refusal,
        "way_out": await _way_out(site, request, wish, typed, problem or {}),
        "other_times": other_times(request, wish.action, typed, problem or {}),
        "is_foreseen": is_foreseen,
        "form": new_form(site.services, desk_of(request), wish.path),
        "submit": tell(request, "form.check") if is_foreseen else tell(request, f"action.{wish.action.name}"),
    }
    return await site.page(request, "form.html", context, status)


async def _show_effect(site: Site, request: Request, wish: Wish, typed: Mapping[str, str]) -> Response:
    read = read_typed(request, wish.action, typed)
    if read.body is None:
        return await _show_fields(site, request, wish, typed, read.faults, status=422)
    desk = desk_of(request)
    try:
        effect = await run_in_threadpool(foresee, desk, wish.action, wish.subject_id, read.body)
    except (Problem, Refused) as no:
        return await _show_refusal(site, request, wish, typed, no)
    fields = await run_in_threadpool(_complete, request, fields_of(request, wish.action, typed, {}), typed)
    context = {
        **_about(request, wish),
        **effect_words(request, effect),
        "way_out": await _way_out(site, request, wish, typed, effect.refusal or {}),
        "other_times": other_times(request, wish.action, typed, effect.refusal or {}),
        "values": fields_typed(wish.action, typed),
        "shown": [(field.label, lines) for field in fields if (lines := shown_values(request, field))],
        "form": new_form(site.services, desk, wish.path),
        "submit": tell(request, f"action.{wish.action.name}"),
        "is_changeable": bool(wish.action.body.model_fields),
    }
    return await site.page(request, "effect.html", context)


async def _show_refusal(
    site: Site, request: Request, wish: Wish, typed: Mapping[str, str], no: Problem | Refused
) -> Response:
    """The form again with the reason. Raises Problem: what no other value could change."""
    problem = no if isinstance(no, Problem) else problem_of_error(no)
    if problem.status not in (409, 422):
        raise problem
    text = problem_text(request, problem.code, problem.facts, problem.status)
    return await _show_fields(
        site,
        request,
        wish,
        typed,
        faults_of(problem),
        refusal=text,
        problem={"code": problem.code, **inner_facts(problem)},
        status=problem.status,
    )


async def _way_out(
    site: Site, request: Request, wish: Wish, typed: Mapping[str, str], problem: Mapping[str, object]
) -> WayOut | None:
    return await run_in_threadpool(way_out, site.services, request, wish.subject_id, typed, problem)


async def _show_done(
    site: Site, request: Request, wish: Wish, typed: Mapping[str, str], done: Done
) -> Response:
    onward = page_of(wish.action, wish.subject_id, done)
    if done.secret is not None:
        context = {
            **_about(request, wish),
            "secret": _shown_secret(request, wish, typed, done.secret),
            "onward": onward,
        }
        response = await site.page(request, "secret.html", context)
        response.headers["Cache-Control"] = "no-store"
        return response
    mark = {"operation": str(done.operation)} if done.operation else {"saved": wish.action.name}
    return RedirectResponse(f"{onward}?{urlencode(mark)}", 303)


def _shown_secret(request: Request, wish: Wish, typed: Mapping[str, str], secret: str) -> str:
    """A token as it is; an invitation as a link to its page, at the new studio's host if it makes one."""
    if wish.action.name not in INVITING:
        return secret
    host = typed.get("host", "").strip().lower()
    port = f":{request.url.port}" if request.url.port else ""
    return f"{request.url.scheme}://{host + port if host else request.url.netloc}{INVITATION}#{secret}"


def _about(request: Request, wish: Wish) -> dict[str, Any]:
    key = f"action.{wish.action.name}.about"
    return {
        "title": tell(request, f"action.{wish.action.name}"),
        "trail": (wish.subject_title or tell(request, f"listing.{listing_of(wish.action)}"), wish.back),
        "about": tell(request, key) if knows(key) else "",
        "subject_title": wish.subject_title,
        "is_dangerous": wish.action.is_dangerous,
        "path": wish.path,
        "back": wish.back,
    }


def _complete(request: Request, fields: list[Field], typed: Mapping[str, str]) -> list[Field]:
    """Pickers show what was picked, and without a script what was found for the term; choices are offered,
    things told by their names."""
    desk = desk_of(request)

    @cache
    def offered(what: str) -> tuple[Choice, ...]:
        return tuple(Choice(str(one.id), one.text) for one in look_up(desk, _LOOK_UPS[what], ""))

    def completed(field: Field) -> Field:
        if field.rows:
            return replace(field, rows=tuple(tuple(map(completed, row)) for row in field.rows))
        if field.widget == "choose":
            return replace(field, widget="choice", options=offered(field.picks))
        if field.widget == "things":
            return replace(field, options=_things(request, field))
        return _picked(request, field, typed) if field.picks else field

    return [completed(field) for field in fields]


def _things(request: Request, field: Field) -> tuple[Choice, ...]:
    """The bookings that the field's lines name by id, as far as they are here."""
    return tuple(named_bookings(request, field.value.split()))


def _picked(request: Request, field: Field, typed: Mapping[str, str]) -> Field:
    desk = desk_of(request)
    what = _LOOK_UPS[field.picks]
    if field.value:
        # An id finds the thing itself; one that is not here finds nothing.
        chosen = look_up(desk, what, field.value)
        if [str(one.id) for one in chosen] == [field.value]:
            return replace(field, chosen=chosen[0].text)
        return replace(field, value="", fault=field.fault or tell(request, "fault.uuid"))
    term = typed.get(field.name + TERM_SUFFIX, "").strip()
    if not term:
        return field
    found = tuple(Choice(str(one.id), one.text) for one in look_up(desk, what, term))
    return replace(field, found=found, chosen=term)
