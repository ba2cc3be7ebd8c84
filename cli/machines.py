"""`billbus machines`: the tables in the code against the rows that the database's trigger checks."""

from typing import Annotated

import typer
from sqlalchemy import Connection, text

from cli.connections import database_url, owner_connection
from state_updater.machines import MACHINES

group = typer.Typer(no_args_is_help=True, help="State machines.")

# machine, from_state, to_state
Row = tuple[str, str, str]

_ADD = "INSERT INTO machine_transition (machine, from_state, to_state) VALUES (:machine, :source, :dest)"
_REMOVE = (
    "DELETE FROM machine_transition WHERE machine = :machine AND from_state = :source AND to_state = :dest"
)


@group.callback()
def keep_group() -> None:
    """A group stays one, also while it has a single command."""


@group.command()
def diff(
    write: Annotated[
        bool, typer.Option("--write", help="Make the database's rows those of the code.")
    ] = False,
) -> None:
    """Show the rows to add (+) and to remove (-), as a migration would. Exit code 1 if there are any left."""
    with owner_connection(database_url()) as connection:
        missing, surplus = difference(connection)
        for sign, rows in (("+", missing), ("-", surplus)):
            for machine, source, dest in rows:
                typer.echo(f"{sign} ('{machine}', '{source}', '{dest}')")
        if write:
            _write(connection, missing, surplus)
    if not missing and not surplus:
        typer.echo("machines: the database and the code agree")
    elif not write:
        raise typer.Exit(1)


def difference(connection: Connection) -> tuple[list[Row], list[Row]]:
    """Rows that only the code has, and rows that only the database has, sorted."""
    code = {(name, source, dest) for name, machine in MACHINES.items() for source, dest in machine.pairs()}
    rows = connection.execute(text("SELECT machine, from_state, to_state FROM machine_transition"))
    database = {(machine, source, dest) for machine, source, dest in rows}
    return sorted(code - database), sorted(database - code)


def _write(connection: Connection, missing: list[Row], surplus: list[Row]) -> None:
    for statement, rows in ((_ADD, missing), (_REMOVE, surplus)):
        if rows:
            names = ("machine", "source", "dest")
            connection.execute(text(statement), [dict(zip(names, row, strict=True)) for row in rows])
