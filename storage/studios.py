"""Setting a studio up: the rows that must be there before the first command.

Called by the CLI and by tests, on a connection of the owner's. Each function is idempotent by the id it is
given, so that seeding again is harmless. Its halls are `storage.halls`.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID
from zoneinfo import available_timezones

from sqlalchemy import Connection, text

from billing.ledger import Account, ledger_account_id
from billing.periods import PeriodUnit

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
_CLOCK_OFFSET = text("""
    INSERT INTO clock_offset (studio_id, offset_seconds) VALUES (:studio_id, :seconds)
    ON CONFLICT (studio_id) DO UPDATE SET offset_seconds = excluded.offset_seconds
""")
_CLOCK_RIGHT = text("DELETE FROM clock_offset WHERE studio_id = :studio_id")


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
