"""Setting a studio up: the rows that must be there before the first command.

Called by the CLI and by tests, on a connection of the owner's, and by the admin for halls, under its role.
Each function is idempotent by the id it is given, so that seeding again is harmless.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Final, Literal
from uuid import UUID
from zoneinfo import available_timezones

from sqlalchemy import Connection, text

from billing.ledger import Account, ledger_account_id
from billing.periods import PeriodUnit
from kit.canonical import canonical_json

_NO_PLACES: Final = frozenset({"Factory", "localtime", "posixrules"})

_STUDIO = text("""
    INSERT INTO studio (id, name, host, timezone, locale, currency, allowed_origins, refund_policy)
    VALUES (:id, :name, :host, :timezone, :locale, :currency, :allowed_origins, :refund_policy)
    ON CONFLICT (id) DO UPDATE SET allowed_origins = excluded.allowed_origins
""")
_LEDGER_ACCOUNT = text("""
    INSERT INTO ledger_account (id, studio_id, kind, currency)
    VALUES (:id, :studio_id, :kind, :currency) ON CONFLICT (id) DO NOTHING
""")
_PLAN = text("""
    INSERT INTO plan (id, studio_id, code, name, description)
    VALUES (:id, :studio_id, :code, :name, :description) ON CONFLICT (id) DO NOTHING
""")
# A new version follows the last one of the same plan and period.
_PRICE = text("""
    INSERT INTO price (id, studio_id, plan_id, version, amount_minor, currency, period_unit, period_count,
        effective_from)
    SELECT :id, :studio_id, :plan_id, coalesce(max(p.version), 0) + 1, :amount_minor, s.currency,
        :period_unit, :period_count, :effective_from
    FROM studio s LEFT JOIN price p
        ON p.plan_id = :plan_id AND p.period_unit = :period_unit AND p.period_count = :period_count
    WHERE s.id = :studio_id GROUP BY s.currency
    ON CONFLICT (id) DO NOTHING
""")
_PROVIDER_ACCOUNT = text("""
    INSERT INTO provider_account (id, studio_id, provider, public_id, sealed_secret, api_url,
        widget_script_url, is_test)
    VALUES (:id, :studio_id, :provider, :public_id, :sealed_secret, :api_url, :widget_script_url, :is_test)
    ON CONFLICT (id) DO UPDATE SET sealed_secret = excluded.sealed_secret, api_url = excluded.api_url,
        widget_script_url = excluded.widget_script_url
""")
_BOOKING_TERMS = text("""
    UPDATE studio SET cancellation_terms = CAST(:cancellation_terms AS jsonb),
        reschedule_hours_before = :reschedule_hours_before
    WHERE id = :id AND NOT EXISTS (SELECT FROM hall WHERE studio_id = :id)
""")
_CLOCK_OFFSET = text("""
    INSERT INTO clock_offset (studio_id, offset_seconds) VALUES (:studio_id, :seconds)
    ON CONFLICT (studio_id) DO UPDATE SET offset_seconds = excluded.offset_seconds
""")
_CLOCK_RIGHT = text("DELETE FROM clock_offset WHERE studio_id = :studio_id")
_HALL = text("""
    INSERT INTO hall (id, studio_id, name, description, capacity, equipment, hours, step_minutes, minutes_min,
        minutes_max, buffer_before_minutes, buffer_after_minutes, notice_minutes, horizon_days, position)
    VALUES (:id, :studio_id, :name, :description, :capacity, :equipment, CAST(:hours AS jsonb),
        :step_minutes, :minutes_min, :minutes_max, :buffer_before_minutes, :buffer_after_minutes,
        :notice_minutes, :horizon_days, :position)
    ON CONFLICT (id) DO NOTHING
""")
_TARIFF = text("""
    INSERT INTO tariff (id, studio_id, hall_id, version, currency, per_hour_minor, rates, duration_tiers,
        people_included, per_person_hour_minor, rounding_minor, effective_from)
    SELECT :id, :studio_id, :hall_id, coalesce(max(t.version), 0) + 1, s.currency, :per_hour_minor,
        CAST(:rates AS jsonb), CAST(:duration_tiers AS jsonb), :people_included,
        :per_person_hour_minor, :rounding_minor, :effective_from
    FROM studio s LEFT JOIN tariff t ON t.hall_id = :hall_id
    WHERE s.id = :studio_id GROUP BY s.currency
    ON CONFLICT (id) DO NOTHING
""")
_EXTRA = text("""
    INSERT INTO extra (id, studio_id, hall_id, name, unit, amount_minor, stock)
    VALUES (:id, :studio_id, :hall_id, :name, :unit, :amount_minor, :stock) ON CONFLICT (id) DO NOTHING
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewHall:
    """A room whose time is sold; `hours` as `booking.rules.calendar.read_hours` reads them."""

    id: UUID
    studio_id: UUID
    name: str
    capacity: int
    hours: Sequence[Mapping[str, object]]
    description: str = ""
    equipment: Sequence[str] = ()
    step_minutes: int = 15
    minutes_min: int = 60
    minutes_max: int = 720
    buffer_before_minutes: int = 0
    buffer_after_minutes: int = 0
    notice_minutes: int = 60
    horizon_days: int = 90
    position: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTariff:
    """What a hall costs from then on; `rates` and `duration_tiers` as `booking.rules.prices` reads them."""

    id: UUID
    studio_id: UUID
    hall_id: UUID
    per_hour_minor: int
    effective_from: datetime
    rates: Sequence[Mapping[str, object]] = ()
    duration_tiers: Sequence[Mapping[str, object]] = ()
    people_included: int = 10_000
    per_person_hour_minor: int = 0
    rounding_minor: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class NewExtra:
    """What is lent beside one hall, or any of the studio's (`hall_id` None). No `stock`: without end."""

    id: UUID
    studio_id: UUID
    name: str
    unit: Literal["hour", "booking"]
    amount_minor: int
    hall_id: UUID | None = None
    stock: int | None = None


def is_time_zone(name: str) -> bool:
    """Whether a studio can live there: a place or an offset of IANA's, as Postgres counts it too.

    Not the ones with leap seconds, nor the ones that mean this machine's own zone.
    """
    return name in available_timezones() - _NO_PLACES


def create_studio(
    connection: Connection,
    studio_id: UUID,
    *,
    name: str,
    host: str,
    timezone: str,
    currency: str,
    locale: str = "ru",
    refund_policy: str = "staff",
    allowed_origins: Sequence[str] = (),
) -> None:
    """A studio with its ledger accounts. `host` is in lower case, `timezone` an IANA name.

    Called again for the same id it brings `allowed_origins` up to date and leaves the rest as it is.
    Raises sqlalchemy.exc.IntegrityError if another studio has the host.
    """
    connection.execute(
        _STUDIO,
        {
            "id": studio_id,
            "name": name,
            "host": host,
            "timezone": timezone,
            "locale": locale,
            "currency": currency,
            "allowed_origins": list(allowed_origins),
            "refund_policy": refund_policy,
        },
    )
    accounts = [
        {
            "id": ledger_account_id(studio_id, kind, currency),
            "studio_id": studio_id,
            "kind": kind.value,
            "currency": currency,
        }
        for kind in Account
    ]
    connection.execute(_LEDGER_ACCOUNT, accounts)


def create_plan(
    connection: Connection, plan_id: UUID, *, studio_id: UUID, code: str, name: str, description: str = ""
) -> None:
    """A plan without a price yet. Idempotent by `plan_id`."""
    connection.execute(
        _PLAN,
        {"id": plan_id, "studio_id": studio_id, "code": code, "name": name, "description": description},
    )


def create_price(
    connection: Connection,
    price_id: UUID,
    *,
    studio_id: UUID,
    plan_id: UUID,
    amount_minor: int,
    period_unit: PeriodUnit,
    effective_from: datetime,
    period_count: int = 1,
) -> None:
    """The next version of a plan's price for this period, in the studio's currency. Idempotent by id."""
    connection.execute(
        _PRICE,
        {
            "id": price_id,
            "studio_id": studio_id,
            "plan_id": plan_id,
            "amount_minor": amount_minor,
            "period_unit": period_unit,
            "period_count": period_count,
            "effective_from": effective_from,
        },
    )


def create_provider_account(
    connection: Connection,
    provider_account_id: UUID,
    *,
    studio_id: UUID,
    provider: str,
    public_id: str,
    sealed_secret: bytes,
    api_url: str,
    widget_script_url: str,
    is_test: bool,
) -> None:
    """A contract with a provider.

    Called again for the same id it brings the secret and the addresses up to date and leaves the rest.
    """
    connection.execute(
        _PROVIDER_ACCOUNT,
        {
            "id": provider_account_id,
            "studio_id": studio_id,
            "provider": provider,
            "public_id": public_id,
            "sealed_secret": sealed_secret,
            "api_url": api_url,
            "widget_script_url": widget_script_url,
            "is_test": is_test,
        },
    )


def set_clock_offset(connection: Connection, studio_id: UUID, seconds: int) -> None:
    """How far a test studio's clock is ahead of the world's; 0 puts it right."""
    statement = _CLOCK_OFFSET if seconds else _CLOCK_RIGHT
    connection.execute(statement, {"studio_id": studio_id, "seconds": seconds})


def set_booking_terms(
    connection: Connection,
    studio_id: UUID,
    *,
    cancellation_terms: Sequence[Mapping[str, int]],
    reschedule_hours_before: int,
) -> None:
    """How a studio lets a booking go; tiers as `booking.rules.terms.read_terms` reads them.

    Once the studio has a hall this changes nothing: by then the terms are the managers' own.
    """
    connection.execute(
        _BOOKING_TERMS,
        {
            "id": studio_id,
            "cancellation_terms": canonical_json([*cancellation_terms]).decode(),
            "reschedule_hours_before": reschedule_hours_before,
        },
    )


def create_hall(connection: Connection, hall: NewHall) -> None:
    """A hall without a tariff yet. Idempotent by id."""
    row = asdict(hall) | {"equipment": [*hall.equipment], "hours": canonical_json([*hall.hours]).decode()}
    connection.execute(_HALL, row)


def create_tariff(connection: Connection, tariff: NewTariff) -> None:
    """The next version of what a hall costs, in the studio's currency. Idempotent by id."""
    row = asdict(tariff) | {
        "rates": canonical_json([*tariff.rates]).decode(),
        "duration_tiers": canonical_json([*tariff.duration_tiers]).decode(),
    }
    connection.execute(_TARIFF, row)


def create_extra(connection: Connection, extra: NewExtra) -> None:
    """Something to lend. Idempotent by id."""
    connection.execute(_EXTRA, asdict(extra))
