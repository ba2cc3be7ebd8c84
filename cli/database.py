"""`billbus db`: roles and migrations."""

import typer

from cli.connections import database_url, owner_connection
from models import migrate, roles

group = typer.Typer(no_args_is_help=True, help="Roles and migrations.")


@group.callback()
def keep_group() -> None:
    """A group stays one, also while it has a single command."""


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
