"""Plans, and the price setter. Direct writes: nothing of this is a machine's state.

A price in use is never edited: a new version begins on a day, and before it is set the form says whom it
would reach. Which version counts when is `billing.prices`.
"""

from dataclasses import dataclass
from datetime import date
from typing import Annotated, Final, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from pydantic import Field, JsonValue, StringConstraints
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from admin_api.actions.action import Action, ActionRequest, Done, Effect, EffectLine, widget
from admin_api.actions.direct import Change, changed, made_id, write_once
from admin_api.actions.effects import refused
from admin_api.actions.fields import AmountMinor, Flag, Line, LongText
from admin_api.desk import Desk
from billing.prices import (
    PriceVersion,
    Renewals,
    decide_effective_from,
    decide_version,
    find_in_force,
    foresee_renewals,
)
from kit.errors import NotFound, Refused
from storage import catalog, studios
from storage.catalog import Calendar
from web.fields import Body

PERIOD_COUNT_LIMIT: Final = 366


class NewPlan(Body):
    """`code` is unique in the studio and never changes: programs know the plan by it."""

    code: Annotated[
        str,
        StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,49}$"),
        Field(json_schema_extra=widget("text"), examples=["drums-8"]),
    ]
    name: Line
    description: LongText = ""


class ChangedPlan(Body):
    """What is not given stays as it is. An inactive plan is not for sale; who has it keeps it."""

    name: Line | None = None
    description: LongText | None = None
    is_active: Flag | None = None


class NewPriceVersion(Body):
    """In the studio's currency. It begins with that day in the studio's time zone; today means at once."""

    amount_minor: AmountMinor
    period_unit: Annotated[
        Literal["day", "week", "month", "year"], Field(json_schema_extra=widget("choice"))
    ] = "month"
    period_count: Annotated[int, Field(strict=True, ge=1, le=PERIOD_COUNT_LIMIT)] = 1
    effective_from: Annotated[date, Field(json_schema_extra=widget("date"), examples=["2026-12-01"])]


@dataclass(frozen=True, slots=True)
class _Setting:
    """A version that could be set now, among the others of its plan and billing period."""

    plan_name: str
    calendar: Calendar
    versions: tuple[PriceVersion, ...]
    new: PriceVersion


def _create_plan(desk: Desk, sent: ActionRequest, _subject_id: None, body: NewPlan) -> Done:
    plan_id = made_id(desk, sent, "plan")

    def write(connection: Connection) -> Change:
        try:
            studios.create_plan(connection, plan_id, studio_id=desk.studio_id, **body.model_dump())
        except IntegrityError as error:
            raise Refused("plan_code_taken") from error
        return Change(after=body.model_dump())

    write_once(desk, sent, "create_plan", plan_id, write)
    return Done(subject_id=plan_id)


def _change_plan(desk: Desk, sent: ActionRequest, plan_id: UUID, body: ChangedPlan) -> Done:
    def write(connection: Connection) -> Change:
        before = catalog.get_plan(connection, plan_id, lock=True)
        after = before | body.model_dump(exclude_none=True)
        catalog.change_plan(connection, plan_id, after)
        return changed(before, after)

    write_once(desk, sent, "change_plan", plan_id, write)
    return Done(subject_id=plan_id)


def _plan_as_it_is(connection: Connection, plan_id: UUID) -> dict[str, JsonValue]:
    plan = catalog.get_plan(connection, plan_id)
    return {
        "name": str(plan["name"]),
        "description": str(plan["description"]),
        "is_active": bool(plan["is_active"]),
    }


def _decide(
    desk: Desk, connection: Connection, plan_id: UUID, body: NewPriceVersion, *, lock: bool
) -> _Setting:
    """Raises NotFound and Refused."""
    plan = catalog.get_plan(connection, plan_id, lock=lock)
    calendar = catalog.get_calendar(connection, desk.studio_id)
    # After the lock: who sets a price at once, sets it after the one who was before.
    effective_from = decide_effective_from(body.effective_from, calendar.now(desk.now), calendar.timezone)
    versions = catalog.list_versions(connection, plan_id, body.period_unit, body.period_count)
    new = decide_version(versions, body.amount_minor, effective_from)
    return _Setting(str(plan["name"]), calendar, tuple(versions), new)


def _set_price(desk: Desk, sent: ActionRequest, plan_id: UUID, body: NewPriceVersion) -> Done:
    price_id = made_id(desk, sent, "price")

    def write(connection: Connection) -> Change:
        setting = _decide(desk, connection, plan_id, body, lock=True)
        studios.create_price(
            connection,
            price_id,
            studio_id=desk.studio_id,
            plan_id=plan_id,
            amount_minor=body.amount_minor,
            period_unit=body.period_unit,
            period_count=body.period_count,
            effective_from=setting.new.effective_from,
        )
        former = find_in_force(setting.versions, setting.new.effective_from)
        before = {"amount_minor": former.amount_minor, "version": former.version} if former else None
        after = body.model_dump(mode="json") | {
            "version": setting.new.version,
            "effective_from": setting.new.effective_from.isoformat(),
        }
        return Change(before, after, {"price_id": price_id})

    write_once(desk, sent, "set_price", plan_id, write)
    return Done(subject_id=price_id)


def _period_as_it_is(connection: Connection, plan_id: UUID) -> dict[str, JsonValue]:
    """Whoever sets a price mostly means the period that the plan has: another one would be a second offer."""
    catalog.get_plan(connection, plan_id)
    period = catalog.find_last_period(connection, plan_id)
    return {"period_unit": period[0], "period_count": period[1]} if period else {}


def _foresee_price(desk: Desk, plan_id: UUID, body: NewPriceVersion) -> Effect:
    with desk.transaction() as connection:
        try:
            setting = _decide(desk, connection, plan_id, body, lock=False)
        except NotFound:
            raise
        except Refused as no:
            return refused(no)
        timezone = setting.calendar.timezone
        endings = catalog.list_endings(connection, plan_id, body.period_unit, body.period_count, timezone)
    renewals = foresee_renewals(
        endings, setting.versions, setting.new, body.period_unit, body.period_count, timezone
    )
    return Effect((_beginning(setting, body), _reach(setting, renewals)))


def _beginning(setting: _Setting, body: NewPriceVersion) -> EffectLine:
    return EffectLine(
        "price.begins",
        {
            "plan": setting.plan_name,
            "date": body.effective_from.isoformat(),
            "amount_minor": body.amount_minor,
            "currency": setting.calendar.currency,
            "version": setting.new.version,
        },
    )


def _reach(setting: _Setting, renewals: Renewals) -> EffectLine:
    if renewals.first_at is None:
        return EffectLine("price.reaches_nobody")
    former = find_in_force(setting.versions, renewals.first_at)
    facts: dict[str, JsonValue] = {
        "count": renewals.count,
        "date": renewals.first_at.astimezone(ZoneInfo(setting.calendar.timezone)).date().isoformat(),
        "old_amount_minor": former.amount_minor if former else 0,
        "new_amount_minor": setting.new.amount_minor,
        "difference_minor": renewals.difference_minor,
        "currency": setting.calendar.currency,
    }
    return EffectLine("price.renewals", facts)


ACTIONS: Final[tuple[Action, ...]] = (
    Action(
        name="create_plan",
        permission="catalog.write",
        path="/plans",
        subject=None,
        body=NewPlan,
        run=_create_plan,
        summary="A new plan, without a price yet",
    ),
    Action(
        name="change_plan",
        permission="catalog.write",
        path="/plans/{subject_id}",
        subject="plans",
        body=ChangedPlan,
        run=_change_plan,
        initial=_plan_as_it_is,
        summary="Rename, describe, put on or off sale",
    ),
    Action(
        name="set_price",
        permission="catalog.write",
        path="/plans/{subject_id}/prices",
        subject="plans",
        body=NewPriceVersion,
        run=_set_price,
        preview=_foresee_price,
        initial=_period_as_it_is,
        summary="A new version of the price, from a day on",
    ),
)
