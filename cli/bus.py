"""`billbus bus`: what the broker should have, what lies parked, and sending it once more.

Called by people. Works with the owner's DATABASE_URL, and with AMQP_URL when there is a broker; nothing here
changes a command, and a replay keeps its id.
"""

from collections.abc import Callable
from typing import Annotated, NoReturn, TypeVar
from uuid import UUID

import psycopg
import typer
from rich.console import Console
from rich.table import Table

from bus.embedded.upkeep import list_parked_events, put_back_event
from bus.port import BusAway, DeadLetter
from bus.rabbit.upkeep import declare, list_dead_letters, replay_dead_letter
from bus.topology import billbus_topology
from bus.transports import choose_bus
from cli.definitions import write_definitions
from cli.parked import NotParked, audit_replay, put_back
from runtime.settings import ProcessSettings, load_settings
from storage.database import CONNECT_TIMEOUT_SECONDS, libpq_url
from storage.parked import Connection, ParkedCommand, list_parked_commands

LIST_LIMIT = 1_000
FILE_WIDTH = 160

group = typer.Typer(help="The interaction bus.", no_args_is_help=True)
parked = typer.Typer(help="Commands and events that could not be applied.", no_args_is_help=True)
group.add_typer(parked, name="parked")
group.command(name="definitions")(write_definitions)

Result = TypeVar("Result")


@group.command()
def topology(
    do_declare: Annotated[bool, typer.Option("--declare", help="Make it on the broker of AMQP_URL.")] = False,
) -> None:
    """Print queues, what feeds them and their arguments."""
    wanted = billbus_topology()
    table = _table("queue", "exchange: routing keys", "arguments")
    for queue in wanted.queues:
        sources = [one for one in wanted.bindings if one.queue == queue.name]
        exchanges = sorted({one.exchange for one in sources})
        keys = [one.routing_key for one in sources if one.routing_key]
        arguments = ", ".join(f"{name[2:]}={value}" for name, value in queue.arguments.items())
        table.add_row(queue.name, f"{', '.join(exchanges)}: {', '.join(keys)}", arguments)
    _print(table)
    if do_declare:
        amqp_url = _amqp_url()
        if amqp_url is None:
            _fail("AMQP_URL is not set: there is no broker to declare on.")
        _reaching_broker(lambda: declare(amqp_url, wanted))
        typer.echo("declared; every queue serves")


@parked.command("list")
def list_parked() -> None:
    """Parked commands of the journal, then messages that a consumer rejected: id, what it is and why."""
    with _owner() as connection:
        commands = list_parked_commands(connection, LIST_LIMIT)
    letters = _dead_letters(_amqp_url())
    for told in (*map(_told_command, commands), *map(_told_letter, letters)):
        typer.echo(told)
    typer.echo(f"{_counted(len(commands), 'parked command')}, {_counted(len(letters), 'dead letter')}")


@group.command()
def replay(
    command_id: Annotated[UUID | None, typer.Argument(help="A parked command of the journal.")] = None,
    dead_letter: Annotated[str | None, typer.Option(help="The message id of a dead letter.")] = None,
) -> None:
    """Send one parked command or one dead letter again, under the same id. Recorded in the audit."""
    if (command_id is None) == (dead_letter is None):
        _fail("Name one command, or one --dead-letter.")
    if command_id is not None:
        _replay_command(command_id)
    if dead_letter is not None:
        _replay_dead_letter(dead_letter)


def _replay_command(command_id: UUID) -> None:
    with _owner() as connection:
        try:
            envelope = put_back(connection, command_id)
        except NotParked as error:
            _fail(str(error))
    publisher = choose_bus(_amqp_url(), _owner, "billbus cli").command_publisher()
    try:
        publisher.publish([envelope])
        typer.echo(f"{command_id} is sent again")
    except BusAway as error:
        typer.echo(f"{command_id} waits in the journal; the relay sends it when the bus is back ({error})")
    finally:
        publisher.close()


def _replay_dead_letter(message_id: str) -> None:
    amqp_url = _amqp_url()
    letter = next((one for one in _dead_letters(amqp_url) if one.message_id == message_id), None)
    if letter is None:
        _fail(f"There is no dead letter {message_id}.")
    with _owner() as connection:
        if not audit_replay(connection, letter):
            _fail(f"{message_id} names no studio that we know, so it can never be applied.")
        was_there = amqp_url is not None or put_back_event(connection, letter)
    if amqp_url is not None:
        was_there = _reaching_broker(lambda: replay_dead_letter(amqp_url, message_id)) is not None
    if not was_there:
        _fail(f"{message_id} is no dead letter any more.")
    typer.echo(f"{message_id} is back with {letter.came_from}")


def _dead_letters(amqp_url: str | None) -> list[DeadLetter]:
    """Of the broker, or where there is none the events that lie parked in the inbox."""
    if amqp_url is not None:
        return _reaching_broker(lambda: list_dead_letters(amqp_url))
    with _owner() as connection:
        return list_parked_events(connection, LIST_LIMIT)


def _told_command(command: ParkedCommand) -> str:
    since = command.answered_at.isoformat(timespec="seconds")
    why = " ".join(f"{name}={value}" for name, value in command.problem.items())
    return _told(command.command_id, command.kind, "journal", command.studio_id, f"since {since}: {why}")


def _told_letter(letter: DeadLetter) -> str:
    why = f"{letter.reason}, {letter.size_bytes} bytes from {letter.came_from}"
    unknown = "?"
    return _told(
        letter.message_id or unknown, letter.kind or unknown, letter.queue, letter.studio_id or unknown, why
    )


def _told(message_id: object, kind: str, place: str, studio_id: object, why: str) -> str:
    """The id alone on its line: people copy it into the next command, whatever the width of the terminal."""
    return f"{message_id}\n    {kind} in {place}, studio {studio_id}\n    {why}"


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _amqp_url() -> str | None:
    secret = load_settings(ProcessSettings).amqp_url
    return None if secret is None else secret.get_secret_value()


def _owner() -> Connection:
    url = load_settings(ProcessSettings).database_url.get_secret_value()
    return psycopg.connect(
        libpq_url(url), connect_timeout=CONNECT_TIMEOUT_SECONDS, application_name="billbus cli"
    )


def _reaching_broker(work: Callable[[], Result]) -> Result:
    try:
        return work()
    except BusAway as error:
        _fail(f"RabbitMQ does not do it: {error}")


def _fail(sentence: str) -> NoReturn:
    typer.echo(sentence, err=True)
    raise typer.Exit(1)


def _table(*columns: str) -> Table:
    table = Table()
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _print(table: Table) -> None:
    """Wide when the output is a file, where rich would assume 80 columns."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=FILE_WIDTH)
    console.print(table)
