"""`billbus db`: roles, migrations, and the logins of services."""

from pathlib import Path
from typing import Annotated

import typer
from alembic.util.exc import CommandError

from cli.connections import database_url, owner_connection
from cli.service_urls import ServiceUrlWrong, read_service_url
from models import logins, migrate, roles
from runtime.settings import SECRETS_VARIABLE

group = typer.Typer(no_args_is_help=True, help="Roles, migrations and logins.")


@group.command()
def bootstrap() -> None:
    """Create missing roles, then migrate to the newest revision. Safe to run at every deploy."""
    url = database_url()
    with owner_connection(url) as connection:
        created = roles.bootstrap(connection)
    typer.echo(f"roles: {', '.join(created) + ' created' if created else 'all there'}")
    before = migrate.current(url)
    migrate.upgrade(url)
    after = migrate.current(url)
    typer.echo(f"schema: at {after}" if before == after else f"schema: {before or 'nothing'} -> {after}")


@group.command()
def downgrade(
    revision: Annotated[str, typer.Argument(help="Where to: the revision before, or an older one.")],
    lose: Annotated[
        str, typer.Option(help="Tables and columns that are given up, with commas between.")
    ] = "",
) -> None:
    """Go back to a revision, after every process has stopped. Says what is lost, and asks for its names."""
    url = database_url()
    try:
        losses = migrate.find_losses(url, revision)
    except CommandError as error:
        raise typer.BadParameter(str(error)) from error
    for name, count in losses.items():
        typer.echo(f"lost: {name} ({count} rows)")
    if set(losses) != set(filter(None, lose.split(","))):
        typer.echo(f"Nothing was done. To go back and lose it: --lose {','.join(losses)}", err=True)
        raise typer.Exit(1)
    before = migrate.current(url)
    migrate.downgrade(url, revision)
    typer.echo(f"schema: {before} -> {migrate.current(url)}")


@group.command("logins")
def set_logins(
    secrets: Annotated[
        Path,
        typer.Option(envvar=SECRETS_VARIABLE, help="Directory with <service>_database_url of each service."),
    ],
) -> None:
    """Give each service its login, password and roles, and take all other rights from it.

    Only these logins and the owner may connect to the database afterwards. Safe to run at every deploy.
    """
    urls = {name: read_service_url(secrets, name, "database_url") for name in logins.LOGINS}
    with owner_connection(database_url()) as connection:
        database = connection.engine.url.database
        for name, url in urls.items():
            if url.place != database:
                raise ServiceUrlWrong(
                    f"{secrets / name}_database_url names another database than DATABASE_URL."
                )
        logins.close_database(connection)
        made = [
            name
            for name, url in urls.items()
            if logins.ensure_login(connection, logins.Login(name, url.password))
        ]
    typer.echo(
        f"logins: {', '.join(made) + ' created' if made else 'all there'}; passwords and roles are set"
    )
