"""The database that a stack stands on, and the one studio in it, made by the product's own functions."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

import psycopg

from kit.ids import new_id
from models import migrate, roles
from runtime.stack_secrets import Secrets
from storage.halls import NewHall, NewTariff, create_hall, create_tariff
from storage.sealing import seal
from storage.studios import create_plan, create_price, create_provider_account, create_studio
from tests.databases import owner_engine

HOST = "crash.example.org"
TERMINAL = "crash-terminal"
PRICE_MINOR = 149_000
PER_HOUR_MINOR = 150_000
# The relay publishes again what was accepted and not applied; production waits ten times as long.
REPUBLISH_AFTER = "1.5 seconds"


@dataclass(frozen=True)
class Studio:
    """Approves refunds by itself; has one plan at one price and one provider account."""

    studio_id: UUID = field(default_factory=new_id)
    plan_id: UUID = field(default_factory=new_id)
    price_id: UUID = field(default_factory=new_id)
    account_id: UUID = field(default_factory=new_id)


def prepare_database(url: str) -> None:
    """Roles and schema, as the owner."""
    with owner_engine(url).begin() as connection:
        roles.bootstrap(connection)
    migrate.upgrade(url)
    with psycopg.connect(url) as connection_of_owner:
        connection_of_owner.execute(
            "ALTER TABLE command_journal ALTER COLUMN republish_at"
            f" SET DEFAULT clock_timestamp() + interval '{REPUBLISH_AFTER}'".encode()
        )


def open_studio(url: str, secrets: Secrets, twin_url: str) -> Studio:
    """Commits it."""
    studio = Studio()
    with owner_engine(url).begin() as connection:
        create_studio(
            connection,
            studio.studio_id,
            name="Crash",
            host=HOST,
            timezone="Europe/Moscow",
            currency="RUB",
            refund_policy="automatic",
            allowed_origins=[f"http://{HOST}"],
        )
        create_plan(connection, studio.plan_id, studio_id=studio.studio_id, code="month", name="Month")
        create_price(
            connection,
            studio.price_id,
            studio_id=studio.studio_id,
            plan_id=studio.plan_id,
            amount_minor=PRICE_MINOR,
            period_unit="month",
            effective_from=datetime(2020, 1, 1, tzinfo=UTC),
        )
        create_provider_account(
            connection,
            studio.account_id,
            studio_id=studio.studio_id,
            provider="cloudpayments",
            public_id=TERMINAL,
            sealed_secret=seal(secrets.sealing_key, secrets.provider_secret),
            api_url=twin_url,
            widget_script_url=f"{twin_url}/bundles/cloudpayments.js",
            is_test=True,
        )
    return studio


def add_hall(url: str, studio: Studio) -> str:
    """A hall that is always open, at one price; its id. Commits it."""
    hall = NewHall(
        id=new_id(),
        studio_id=studio.studio_id,
        name=f"Hall {new_id()}",
        capacity=10,
        hours=[{"weekdays": [1, 2, 3, 4, 5, 6, 7], "opens": "00:00", "closes": "24:00"}],
    )
    tariff = NewTariff(
        id=new_id(),
        studio_id=studio.studio_id,
        hall_id=hall.id,
        per_hour_minor=PER_HOUR_MINOR,
        effective_from=datetime(2020, 1, 1, tzinfo=UTC),
    )
    with owner_engine(url).begin() as connection:
        create_hall(connection, hall)
        create_tariff(connection, tariff)
    return str(hall.id)
