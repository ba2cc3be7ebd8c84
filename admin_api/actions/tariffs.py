"""What a hall's time costs: versions, each from a day on. Direct writes; a version is never edited.

Whoever has a quote or a booking pays what it says. Which version counts when is `billing.prices`.
"""

from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Annotated, Any, Final
from uuid import UUID

from pydantic import Field, JsonValue
from sqlalchemy import Connection

from admin_api.actions.action import Action, ActionRequest, Done, Effect, EffectLine, widget
from admin_api.actions.direct import Change, made_id, write_once
from admin_api.actions.effects import refused
from admin_api.actions.fields import AmountMinor
from admin_api.actions.halls import Rules, ruled
from admin_api.desk import Desk
from billing.prices import decide_effective_from, find_in_force
from booking.rules.prices import read_rates, read_tiers
from bus.messages import AMOUNT_LIMIT_MINOR
from kit.errors import NotFound, Refused
from storage import catalog, halls
from storage.halls import EVERYBODY, TariffVersion
from web.fields import Body

Rates = Annotated[
    Rules,
    Field(
        json_schema_extra=widget("rates"),
        description="The first that fits the minute counts: weekdays (1 is Monday), time of day, season.",
        examples=[
            [
                {
                    "name": "Evening",
                    "weekdays": [5, 6],
                    "starts": "18:00",
                    "ends": "24:00",
                    "per_hour_minor": 250_000,
                }
            ]
        ],
    ),
    ruled(read_rates),
]
Tiers = Annotated[
    Rules,
    Field(
        json_schema_extra=widget("tiers"),
        description="The longest that a booking reaches counts.",
        examples=[[{"minutes_from": 240, "percent_off": 10}]],
    ),
    ruled(read_tiers),
]


class NewTariffVersion(Body):
    """In the studio's currency. It begins with that day in the studio's time zone; today means at once.

    Beyond `people_included` each person costs `per_person_hour_minor` an hour.
    """

    per_hour_minor: AmountMinor
    rates: Rates = Field(default_factory=list)
    duration_tiers: Tiers = Field(default_factory=list)
    people_included: Annotated[int, Field(strict=True, ge=1, le=EVERYBODY)] | None = None
    per_person_hour_minor: Annotated[
        int, Field(strict=True, ge=0, le=AMOUNT_LIMIT_MINOR, json_schema_extra=widget("money"))
    ] = 0
    rounding_minor: Annotated[
        int, Field(strict=True, ge=1, le=100_000, json_schema_extra=widget("money"))
    ] = 100
    effective_from: Annotated[date, Field(json_schema_extra=widget("date"), examples=["2026-12-01"])]


@dataclass(frozen=True, slots=True)
class _Setting:
    """A version that could be set now, after `former`, which is in force when it begins."""

    hall_name: str
    currency: str
    version: int
    effective_from: datetime
    former: TariffVersion | None


def _costs(body: NewTariffVersion) -> dict[str, Any]:
    """What a version says, its day aside."""
    costs = body.model_dump(exclude={"effective_from"})
    return costs | {"people_included": body.people_included or EVERYBODY}


def _decide(
    desk: Desk, connection: Connection, hall_id: UUID, body: NewTariffVersion, *, lock: bool
) -> _Setting:
    """Raises NotFound and Refused."""
    hall = halls.get_hall(connection, hall_id, lock=lock)
    calendar = catalog.get_calendar(connection, desk.studio_id)
    # After the lock: who sets a tariff at once, sets it after the one who was before.
    effective_from = decide_effective_from(body.effective_from, calendar.now(desk.now), calendar.timezone)
    versions = halls.list_tariffs(connection, hall_id)
    taken = next((one for one in versions if one.effective_from == effective_from), None)
    if taken is not None:
        raise Refused("price_date_taken", version=taken.version, amount_minor=taken.per_hour_minor)
    former = find_in_force(versions, effective_from)
    if former is not None and _costs(body).items() <= asdict(former).items():
        raise Refused("price_unchanged", version=former.version, amount_minor=former.per_hour_minor)
    version = max((one.version for one in versions), default=0) + 1
    return _Setting(str(hall["name"]), calendar.currency, version, effective_from, former)


def _set(desk: Desk, sent: ActionRequest, hall_id: UUID, body: NewTariffVersion) -> Done:
    tariff_id = made_id(desk, sent, "tariff")

    def write(connection: Connection) -> Change:
        setting, costs = _decide(desk, connection, hall_id, body, lock=True), _costs(body)
        row = halls.NewTariff(
            id=tariff_id,
            studio_id=desk.studio_id,
            hall_id=hall_id,
            effective_from=setting.effective_from,
            **costs,
        )
        halls.create_tariff(connection, row)
        former = setting.former
        before = {name: getattr(former, name) for name in (*costs, "version")} if former else None
        after = {**costs, "version": setting.version, "effective_from": setting.effective_from.isoformat()}
        return Change(before, after, {"tariff_id": tariff_id})

    write_once(desk, sent, "set_tariff", hall_id, write)
    return Done(subject_id=tariff_id)


def _foresee(desk: Desk, hall_id: UUID, body: NewTariffVersion) -> Effect:
    with desk.transaction() as connection:
        try:
            setting = _decide(desk, connection, hall_id, body, lock=False)
        except NotFound:
            raise
        except Refused as no:
            return refused(no)
    facts: dict[str, JsonValue] = {
        "hall": setting.hall_name,
        "date": body.effective_from.isoformat(),
        "amount_minor": body.per_hour_minor,
        "currency": setting.currency,
        "version": setting.version,
    }
    return Effect((EffectLine("tariff.begins", facts), EffectLine("tariff.keeps_promises")))


def _as_it_is(connection: Connection, hall_id: UUID) -> dict[str, JsonValue]:
    """The last version: what changes is mostly one sum of it."""
    halls.get_hall(connection, hall_id)
    last = next(iter(halls.list_tariffs(connection, hall_id)), None)
    if last is None:
        return {}
    values = asdict(last)
    if last.people_included == EVERYBODY:
        del values["people_included"]
    return {name: value for name, value in values.items() if name not in ("version", "effective_from")}


ACTIONS: Final[tuple[Action, ...]] = (
    Action(
        name="set_tariff",
        permission="catalog.write",
        path="/halls/{subject_id}/tariffs",
        subject="halls",
        body=NewTariffVersion,
        run=_set,
        preview=_foresee,
        initial=_as_it_is,
        summary="A new version of what its time costs, from a day on",
    ),
)
