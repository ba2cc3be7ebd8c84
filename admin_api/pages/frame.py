"""What every template can say and show: words, sums, times, the menu. Set into sqladmin's Jinja environment.

All of it depends on the request: whose language, which studio's clock and money.
"""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Final
from urllib.parse import urlencode

from jinja2 import Environment, StrictUndefined, pass_context
from jinja2.runtime import Context
from starlette.requests import Request

from admin_api.pages import formats
from admin_api.pages.doors import desk_of, language_of, studio_of
from admin_api.pages.menu import is_current, menu_of
from admin_api.pages.words import knows, say

_SPAN: Final = ("starts_at", "ends_at")
_ISO_DAY_LENGTH: Final = len("2026-01-01")
# Facts that are codes, and where their words stand.
_CODED: Final[dict[str, tuple[str, ...]]] = {
    "kind": ("action", "command"),
    "before": ("role",),
    "after": ("role",),
    "role": ("role",),
    "trigger": ("trigger",),
}


def install(environment: Environment) -> None:
    """Gives every template `say`, `sum`, `when`, `menu` and their like; what is undefined is an error."""
    environment.undefined = StrictUndefined
    environment.trim_blocks = environment.lstrip_blocks = True
    environment.globals.update(
        say=_say,
        money=_money,
        when=_when,
        language=_language,
        language_query=_language_query,
        menu=_menu,
        is_current=is_current,
        person=_person,
    )


def tell(request: Request, key: str, facts: Mapping[str, object] | None = None) -> str:
    """The sentence `key` in the person's language, its facts written for a person."""
    return say(language_of(request), key, told_facts(request, facts or {}))


def told_facts(request: Request, facts: Mapping[str, object]) -> dict[str, object]:
    """Sums become money, instants local times, states words; numbers and texts stay. A fact more: `when`, for
    what starts and ends."""
    currency = str(
        facts.get("currency") or getattr(getattr(request.state, "studio", None), "currency", "RUB")
    )
    told = {name: _told(request, name, value, currency) for name, value in facts.items()}
    if {"starts_at", "ends_at"} <= facts.keys():
        told["when"] = span_text(request, *(datetime.fromisoformat(str(facts[name])) for name in _SPAN))
    return told


def problem_text(request: Request, code: str, facts: Mapping[str, object], status: int) -> str:
    """A refusal in words; one without words of its own is told by its status."""
    key = f"problem.{code}"
    inner = facts.get("facts")
    facts = {**facts, **inner} if isinstance(inner, Mapping) else facts
    return tell(request, key if knows(key) else f"error.{status if knows(f'error.{status}') else 409}", facts)


def when_text(request: Request, at: datetime | date) -> str:
    language = language_of(request)
    if isinstance(at, datetime):
        return formats.time_text(at, studio_of(request).timezone, language)
    return formats.date_text(at, language)


def span_text(request: Request, starts_at: datetime, ends_at: datetime) -> str:
    return formats.span_text(starts_at, ends_at, studio_of(request).timezone, language_of(request))


def _told(request: Request, name: str, value: object, currency: str) -> object:
    language = language_of(request)
    if name.endswith("_minor") and isinstance(value, int):
        return formats.money_text(value, currency, language)
    if isinstance(value, Mapping) and value.keys() == {"amount_minor", "currency"}:
        return formats.money_text(int(value["amount_minor"]), str(value["currency"]), language)
    if isinstance(value, str) and name in _CODED and (key := _word_of(name, value)):
        return say(language, key)
    if isinstance(value, datetime | date):
        return when_text(request, value)
    if isinstance(value, str) and name.endswith(("_at", "_on", "_from", "date", "until")):
        return _told_iso(request, value)
    return value


def _told_iso(request: Request, value: str) -> str:
    try:
        if len(value) == _ISO_DAY_LENGTH:
            return when_text(request, date.fromisoformat(value))
        return when_text(request, datetime.fromisoformat(value))
    except ValueError:
        return value


def _word_of(name: str, value: str) -> str | None:
    """The words for a fact that is a code: a state, a role, a command."""
    keys = (f"{prefix}.{value}" for prefix in _CODED[name])
    return next((key for key in keys if knows(key)), None)


@pass_context
def _say(context: Context, key: str, **facts: object) -> str:
    return say(language_of(context["request"]), key, facts)


@pass_context
def _money(context: Context, amount_minor: int, currency: str) -> str:
    return formats.money_text(amount_minor, currency, language_of(context["request"]))


@pass_context
def _when(context: Context, at: datetime | date) -> str:
    return when_text(context["request"], at)


@pass_context
def _language(context: Context) -> str:
    return language_of(context["request"])


@pass_context
def _language_query(context: Context, language: str) -> str:
    return urlencode({**context["request"].query_params, "lang": language})


@pass_context
def _person(context: Context) -> Any:
    request: Request = context["request"]
    return desk_of(request).person if getattr(request.state, "desk", None) else None


@pass_context
def _menu(context: Context) -> Any:
    return list(menu_of(desk_of(context["request"]).person))
