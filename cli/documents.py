"""`billbus docs`: the pages that are made from the code. Tests compare them with what lies in `docs/`."""

import orjson
import typer

from bus.documents.asyncapi import document
from kit.machine import NOWHERE, Machine
from models.migrate import revision_files
from state_updater.machines import MACHINES

group = typer.Typer(no_args_is_help=True, help="Pages made from the code.")


@group.command()
def states() -> None:
    """Print docs/states.md: each machine's picture and table."""
    typer.echo(states_page(), nl=False)


@group.command()
def schema() -> None:
    """Print docs/schema.sql: the SQL of every migration, in order."""
    typer.echo(schema_page(), nl=False)


@group.command()
def asyncapi() -> None:
    """Print docs/asyncapi.json: everything that travels on the bus, as AsyncAPI 3."""
    typer.echo(asyncapi_document(), nl=False)


def asyncapi_document() -> str:
    """JSON, indented, in the order of the registry."""
    return orjson.dumps(document(), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode()


def states_page() -> str:
    """Markdown with a Mermaid picture and a table of triggers per machine."""
    heading = "# States\n\nMade by `billbus docs states` from the tables in `billing/`; not edited by hand.\n"
    return "\n".join([heading, *(_machine_section(machine) for machine in MACHINES.values())])


def _machine_section(machine: Machine) -> str:
    rows = [
        f"| `{trigger}` | {f'`{source}`' if source != NOWHERE else '–'} | `{dest}` | {guard} |"
        for trigger, source, dest, guard in _guarded_edges(machine)
    ]
    table = "\n".join(["| Trigger | From | To | Only if |", "|---|---|---|---|", *rows])
    return f"## {machine.name}\n\n```mermaid\n{machine.mermaid()}\n```\n\n{table}\n"


def _guarded_edges(machine: Machine) -> list[tuple[str, str, str, str]]:
    return [
        (row["trigger"], source, row["dest"], ", ".join(_words(guard) for guard in row.get("conditions", ())))
        for row in machine.table
        for source in ([row["source"]] if isinstance(row["source"], str) else row["source"])
    ]


def _words(guard: object) -> str:
    return str(getattr(guard, "__name__", "")).replace("_", " ")


def schema_page() -> str:
    """Every revision's SQL. A dump would differ with the version of the server and of pg_dump."""
    heading = "-- Made by `billbus docs schema` from models/migrations/versions; not edited by hand.\n"
    sections = [f"\n-- {file.name}\n\n{file.read_text('utf-8').strip()}\n" for file in revision_files()]
    return "".join([heading, *sections])
