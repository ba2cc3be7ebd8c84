"""`billbus bus definitions`: the file that a broker loads when it starts, with users or without.

Called at deploy, and by whoever compares a broker with the code. It asks nobody, and shows no password.
"""

import json
from pathlib import Path
from typing import Annotated

import typer

from bus.definitions import BUS_HOST, TASKS_HOST, USERS, broker_definitions
from cli.service_urls import ServiceUrlWrong, read_service_url

# The setting that holds a URL of each virtual host. A user has one of them or both.
_SETTINGS = {"amqp_url": BUS_HOST, "celery_broker_url": TASKS_HOST}


def write_definitions(
    users: Annotated[
        Path | None,
        typer.Option(
            help="Directory with <user>_amqp_url and <user>_celery_broker_url: adds users and rights."
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="The file to write, instead of printing.")] = None,
) -> None:
    """Print what RabbitMQ loads at its start: virtual hosts, queues and, with --users, users and rights."""
    passwords = None if users is None else {name: _password(users, name) for name in USERS}
    text = json.dumps(broker_definitions(passwords), indent=2) + "\n"
    if out is None:
        typer.echo(text, nl=False)
    else:
        unfinished = out.with_name(f"{out.name}.unfinished")
        unfinished.write_text(text)
        unfinished.replace(out)


def _password(directory: Path, user: str) -> str:
    """Of one user, from its URLs. Raises ServiceUrlWrong, also when they differ."""
    settings = [name for name in _SETTINGS if (directory / f"{user}_{name}").exists()]
    if not settings:
        raise ServiceUrlWrong(
            f"{directory} has neither {' nor '.join(f'{user}_{name}' for name in _SETTINGS)}."
        )
    passwords = set()
    for setting in settings:
        url = read_service_url(directory, user, setting)
        if url.place != _SETTINGS[setting]:
            raise ServiceUrlWrong(
                f"{directory / user}_{setting} must name the virtual host {_SETTINGS[setting]}."
            )
        passwords.add(url.password)
    if len(passwords) > 1:
        raise ServiceUrlWrong(f"The URLs of {user} in {directory} have different passwords.")
    return passwords.pop()
