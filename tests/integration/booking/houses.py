"""Studios with halls, made by the functions that set up any studio."""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, text

from kit.ids import new_id
from storage.halls import NewExtra, NewHall, NewTariff, create_extra, create_hall, create_tariff
from storage.sealing import seal
from storage.studios import create_provider_account, create_studio
from tests.databases import owner_engine
from tests.integration.client_api.conftest import SEALING_KEY, ShopWindow

ZONE = ZoneInfo("Europe/Berlin")
# A Monday, 10:00 in Berlin; the clocks go on on the 29th.
NOW = datetime(2038, 3, 1, 9, 0, tzinfo=UTC)
EVERY_DAY = [1, 2, 3, 4, 5, 6, 7]
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class House:
    """A studio in Berlin: a big hall open 10–22 with dearer evenings, a small one that never closes."""

    studio_id: UUID
    host: str
    big_id: UUID
    small_id: UUID
    light_id: UUID
    piano_id: UUID
    account_id: UUID
    secret: str

    @property
    def shop(self) -> ShopWindow:
        """As those see it who send notifications."""
        return ShopWindow(self.studio_id, self.host, self.big_id, self.account_id, self.secret)

    def slot(self, start: str, minutes: int = 120, hall_id: UUID | None = None) -> dict[str, Any]:
        """The body of a quote; `start` is local, as 2038-03-02T12:00."""
        starts_at = datetime.fromisoformat(start).replace(tzinfo=ZONE)
        ends_at = starts_at.astimezone(UTC) + timedelta(minutes=minutes)
        return {
            "hall_id": str(hall_id or self.big_id),
            "starts_at": starts_at.isoformat(),
            "ends_at": ends_at.isoformat(),
            "people": 2,
        }


def open_house(database_url: str) -> House:
    token = secrets.token_hex(4)
    host, secret = f"{token}.example.org", f"secret-{token}"
    house = House(new_id(), host, new_id(), new_id(), new_id(), new_id(), new_id(), secret)
    with owner_engine(database_url).begin() as connection:
        create_studio(
            connection, house.studio_id, name=f"House {token}", host=house.host,
            timezone=str(ZONE), currency="EUR", allowed_origins=[f"http://{house.host}"],
        )  # fmt: skip
        create_provider_account(
            connection, house.account_id, studio_id=house.studio_id, provider="cloudpayments",
            public_id=f"test_api_{token}", sealed_secret=seal(SEALING_KEY, secret),
            api_url="http://127.0.0.1:9", widget_script_url="http://127.0.0.1:9/bundles/cloudpayments.js",
            is_test=True,
        )  # fmt: skip
        _add_halls(connection, house)
        _add_extras(connection, house)
    return house


def _add_halls(connection: Connection, house: House) -> None:
    day = [{"weekdays": EVERY_DAY, "opens": "10:00", "closes": "22:00"}]
    always = [{"weekdays": EVERY_DAY, "opens": "00:00", "closes": "24:00"}]
    create_hall(connection, NewHall(
        id=house.big_id, studio_id=house.studio_id, name="Big", capacity=10, hours=day, horizon_days=365,
        minutes_max=480, equipment=["Piano"],
    ))  # fmt: skip
    create_hall(connection, NewHall(
        id=house.small_id, studio_id=house.studio_id, name="Small", capacity=4, hours=always,
        step_minutes=30, minutes_min=30, horizon_days=365, position=1, buffer_after_minutes=30,
    ))  # fmt: skip
    evening = [{
        "name": "Evening", "weekdays": EVERY_DAY, "starts": "18:00", "ends": "24:00", "per_hour_minor": 3000,
    }]  # fmt: skip
    for hall_id, rates in ((house.big_id, evening), (house.small_id, [])):
        create_tariff(connection, NewTariff(
            id=new_id(), studio_id=house.studio_id, hall_id=hall_id, per_hour_minor=2000, rates=rates,
            effective_from=LONG_AGO, people_included=4, per_person_hour_minor=100,
        ))  # fmt: skip


def _add_extras(connection: Connection, house: House) -> None:
    create_extra(connection, NewExtra(
        id=house.light_id, studio_id=house.studio_id, name="Light", unit="hour", amount_minor=500, stock=3,
    ))  # fmt: skip
    create_extra(connection, NewExtra(
        id=house.piano_id, studio_id=house.studio_id, name="Piano", unit="booking", amount_minor=4000,
        hall_id=house.big_id,
    ))  # fmt: skip


def block(database_url: str, house: House, hall_id: UUID, start: str, minutes: int) -> None:
    """The hall is taken from then on, as the updater would have written it."""
    starts_at = datetime.fromisoformat(start).replace(tzinfo=ZONE)
    row = {
        "id": new_id(),
        "studio_id": house.studio_id,
        "hall_id": hall_id,
        "starts_at": starts_at,
        "ends_at": starts_at.astimezone(UTC) + timedelta(minutes=minutes),
    }
    with owner_engine(database_url).begin() as connection:
        connection.execute(_BLOCK, row)


_BLOCK = text("""
    INSERT INTO occupancy (id, studio_id, hall_id, kind, starts_at, ends_at, created_at)
    VALUES (:id, :studio_id, :hall_id, 'blackout', :starts_at, :ends_at, clock_timestamp())
""")
