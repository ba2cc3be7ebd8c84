"""`billbus demo`: the studio that `./run` shows. Seeding again changes only addresses and the secret."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

import httpx
import typer
from sqlalchemy import Connection

from billing.periods import PeriodUnit
from cli.connections import SeedSettings, database_url, owner_connection
from cli.demo_halls import seed_halls
from kit.ids import derived_id
from runtime.settings import load_settings
from storage.sealing import seal
from storage.staff import StaffRow, insert_staff_member
from storage.studios import (
    create_plan,
    create_price,
    create_provider_account,
    create_studio,
    set_clock_offset,
)
from web.passwords import hash_password

group = typer.Typer(no_args_is_help=True, help="The demo studio.")

DEMO_HOST = "localhost"
CALLBACKS = ("check", "pay", "fail", "refund")
TWIN_TIMEOUT_SECONDS = 10.0
CLOCK_SECONDS_MAX = 366 * 86_400
DEMO_STUDIO_ID: UUID = derived_id("demo", "studio")
DEMO_PROVIDER_ACCOUNT_ID: UUID = derived_id("demo", "provider_account", "cloudpayments")
# Long before anybody's clock, a test studio's included.
_PRICES_FROM = datetime(2020, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Offer:
    """A plan with one price, minor units of the demo's currency."""

    code: str
    name: str
    description: str
    amount_minor: int
    period_unit: PeriodUnit

    @property
    def plan_id(self) -> UUID:
        return derived_id("demo", "plan", self.code)

    @property
    def price_id(self) -> UUID:
        return derived_id("demo", "price", self.code)


OFFERS = (
    Offer("day", "День в зале", "Один день, любой зал", 49_000, "day"),
    Offer("month", "Репетиции: месяц", "Восемь часов в месяц, любой зал", 149_000, "month"),
    Offer("month-plus", "Репетиции без границ", "Сколько угодно часов в месяц", 390_000, "month"),
    Offer("year", "Год вперёд", "Двенадцать месяцев по цене десяти", 1_490_000, "year"),
)


@dataclass(frozen=True, slots=True)
class Colleague:
    """A staff member of the demo; all have the one password that the run was given."""

    role: str
    name: str

    @property
    def email(self) -> str:
        return f"{self.role.replace('_', '-')}@example.org"


STAFF = (
    Colleague("owner", "Ольга"),
    Colleague("manager", "Максим"),
    Colleague("support", "Света"),
    Colleague("ops", "Олег"),
    Colleague("platform_admin", "Павел"),
)


@dataclass(frozen=True, slots=True)
class TwinAccount:
    """How to reach the provider twin. `secret` is never shown."""

    public_id: str
    secret: str = field(repr=False)
    api_url: str
    widget_script_url: str


@group.command()
def seed(
    public_id: Annotated[str, typer.Option(help="The terminal's public id at the twin.")],
    secret: Annotated[str, typer.Option(envvar="DEMO_PROVIDER_SECRET", help="The terminal's API secret.")],
    api_url: Annotated[str, typer.Option(help="The twin's API.")],
    widget_script_url: Annotated[str, typer.Option(help="The twin's widget script.")],
    origin: Annotated[list[str] | None, typer.Option(help="Where a payer may return to; repeatable.")] = None,
    staff_password: Annotated[
        str | None, typer.Option(envvar="DEMO_STAFF_PASSWORD", help="Hires the demo's staff with it.")
    ] = None,
    callbacks_url: Annotated[
        str | None, typer.Option(help="The client API, as the twin reaches it: told to the twin.")
    ] = None,
) -> None:
    """Create the demo studio with plans, prices, halls, staff and a provider account, or update addresses."""
    settings = load_settings(SeedSettings)
    account = TwinAccount(public_id, secret, api_url, widget_script_url)
    with owner_connection(settings.database_url.get_secret_value()) as connection:
        seed_demo(connection, settings.sealing_key.get_secret_value(), account, origin or [])
        if staff_password is not None:
            _hire(connection, hash_password(staff_password))
    if callbacks_url is not None:
        tell_twin(account, callbacks_url)
    typer.echo(DEMO_STUDIO_ID)


@group.command()
def clock(
    seconds: Annotated[
        int, typer.Argument(min=0, max=CLOCK_SECONDS_MAX, help="0: as it is everywhere else.")
    ],
) -> None:
    """Put the demo studio's own clock ahead of the world's."""
    with owner_connection(database_url()) as connection:
        set_clock_offset(connection, DEMO_STUDIO_ID, seconds)


def tell_twin(account: TwinAccount, callbacks_url: str) -> None:
    """Registers the terminal at the twin, with where to call back. Idempotent. Raises httpx.HTTPError."""
    base = f"{callbacks_url}/callbacks/cloudpayments/{DEMO_PROVIDER_ACCOUNT_ID}"
    site = {
        "secret": account.secret,
        "is_test": True,
        "callbacks": {kind: f"{base}/{kind}" for kind in CALLBACKS},
    }
    url = f"{account.api_url}/_twin/sites/{account.public_id}"
    httpx.put(url, json=site, timeout=TWIN_TIMEOUT_SECONDS).raise_for_status()


def seed_demo(
    connection: Connection, sealing_key: str, account: TwinAccount, origins: Sequence[str] = ()
) -> None:
    """The demo studio on the caller's connection, as the owner. Idempotent."""
    create_studio(
        connection,
        DEMO_STUDIO_ID,
        name="Студия «Синкопа»",
        host=DEMO_HOST,
        timezone="Europe/Moscow",
        currency="RUB",
        refund_policy="staff",
        allowed_origins=origins,
    )
    for offer in OFFERS:
        _create_offer(connection, offer)
    seed_halls(connection, DEMO_STUDIO_ID, _PRICES_FROM)
    create_provider_account(
        connection,
        DEMO_PROVIDER_ACCOUNT_ID,
        studio_id=DEMO_STUDIO_ID,
        provider="cloudpayments",
        public_id=account.public_id,
        sealed_secret=seal(sealing_key, account.secret),
        api_url=account.api_url,
        widget_script_url=account.widget_script_url,
        is_test=True,
    )


def _hire(connection: Connection, password_hash: str) -> None:
    for one in STAFF:
        member_id = derived_id("demo", "staff_member", one.role)
        row = StaffRow(member_id, one.email, one.name, one.role, "ru", None, password_hash)
        insert_staff_member(connection, DEMO_STUDIO_ID, row)


def _create_offer(connection: Connection, offer: Offer) -> None:
    create_plan(
        connection,
        offer.plan_id,
        studio_id=DEMO_STUDIO_ID,
        code=offer.code,
        name=offer.name,
        description=offer.description,
    )
    create_price(
        connection,
        offer.price_id,
        studio_id=DEMO_STUDIO_ID,
        plan_id=offer.plan_id,
        amount_minor=offer.amount_minor,
        period_unit=offer.period_unit,
        effective_from=_PRICES_FROM,
    )
