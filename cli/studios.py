"""`billbus studio`: tenants."""

import getpass
from typing import Annotated

import typer

from cli.connections import database_url, owner_connection
from kit.ids import new_id
from storage.audit import write_audit
from storage.studios import create_studio, is_time_zone
from web.hosts import host_name

group = typer.Typer(no_args_is_help=True, help="Studios.")


@group.callback()
def keep_group() -> None:
    """A group stays one, also while it has a single command."""


def zone(name: str) -> str:
    """An IANA zone name. Raises typer.BadParameter."""
    if not is_time_zone(name):
        raise typer.BadParameter(f"{name} is no IANA time zone")
    return name


def studio_host(written: str) -> str:
    """The name that browsers send. Raises typer.BadParameter."""
    try:
        return host_name(written)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


@group.command()
def create(
    name: Annotated[str, typer.Option(help="As customers read it.")],
    host: Annotated[
        str, typer.Option(callback=studio_host, help="The host name that requests for this studio come to.")
    ],
    timezone: Annotated[str, typer.Option(callback=zone, help="IANA name.")],
    currency: Annotated[str, typer.Option(help="ISO 4217, three capitals.")] = "RUB",
    locale: Annotated[str, typer.Option(help="ru or en.")] = "ru",
    origin: Annotated[list[str] | None, typer.Option(help="Where a payer may return to; repeatable.")] = None,
) -> None:
    """Create a studio with its ledger accounts, and print its id."""
    studio_id = new_id()
    with owner_connection(database_url()) as connection:
        create_studio(
            connection,
            studio_id,
            name=name,
            host=host,
            timezone=timezone,
            currency=currency.upper(),
            locale=locale,
            allowed_origins=origin or [],
        )
        write_audit(
            connection,
            studio_id=studio_id,
            principal=f"cli:{getpass.getuser()}",
            action="create_studio",
            subject_id=studio_id,
            after={"host": host, "timezone": timezone, "currency": currency.upper()},
            remote_address=None,
            correlation_id=studio_id.hex,
        )
    typer.echo(studio_id)
