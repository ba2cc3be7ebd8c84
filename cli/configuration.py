"""`billbus config check`: what each process would start with, and what is wrong with it, before it starts.

Called by people at deploy, in the environment that it is about. Connects nowhere, and shows no secret: of
one only that it is set and how long it is, of a URL everything but its password.
"""

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Final, cast
from urllib.parse import urlsplit

import typer
from pydantic import SecretStr, ValidationError
from pydantic_settings import SettingsError

from cron.jobs import JOBS
from cron.schedule import ScheduleInvalid
from notifications.sending import require_link_key
from runtime.settings import (
    SECRETS_VARIABLE,
    AdminSettings,
    ApiSettings,
    ConsumerSettings,
    CronSettings,
    EventSettings,
    ProcessSettings,
    Settings,
    TaskSettings,
    problems_of,
)
from state_updater.tasks.app import make_app
from state_updater.tasks.desk import require_lease_outlasts_calls, require_sealing_key

# How alike two names are when one is taken for a misspelling of the other.
LIKENESS: Final = 0.85

group = typer.Typer(no_args_is_help=True, help="Settings.")


@dataclass(frozen=True, slots=True)
class Process:
    """`checks` are those that the process makes at its start beyond its settings class."""

    settings: type[Settings]
    checks: tuple[Callable[[Settings], object], ...] = ()


def _of_tasks(check: Callable[[TaskSettings], object]) -> Callable[[Settings], object]:
    return lambda settings: check(cast(TaskSettings, settings))


def _check_schedules(settings: Settings) -> None:
    for job in JOBS.values():
        job.schedule(cast(CronSettings, settings))


PROCESSES: Final[Mapping[str, Process]] = {
    "migrate": Process(ProcessSettings),
    "client_api": Process(ApiSettings),
    "admin_api": Process(AdminSettings),
    "billing_consumer": Process(ConsumerSettings),
    "state_updater": Process(TaskSettings, (_of_tasks(make_app),)),
    "worker": Process(
        TaskSettings,
        (
            _of_tasks(make_app),
            _of_tasks(require_sealing_key),
            _of_tasks(require_lease_outlasts_calls),
            _of_tasks(require_link_key),
        ),
    ),
    "beat": Process(TaskSettings, (_of_tasks(make_app),)),
    "events": Process(EventSettings),
    "cron": Process(CronSettings, (_check_schedules,)),
}


@group.callback()
def keep_group() -> None:
    """A group stays one, also while it has a single command."""


@group.command()
def check(
    process: Annotated[
        str | None, typer.Argument(help=f"One of {', '.join(PROCESSES)}; all without.")
    ] = None,
) -> None:
    """Print the settings of a process without its secrets, and every problem. Exit code 1 if there is one."""
    if process is not None and process not in PROCESSES:
        raise typer.BadParameter(f"There is no process {process}: there are {', '.join(PROCESSES)}.")
    problems: list[str] = []
    for name in PROCESSES if process is None else [process]:
        found, said = examine(PROCESSES[name])
        typer.echo("\n".join([name, *(f"  {line}" for line in said)]))
        problems += [f"{name}: {sentence}" for sentence in found]
    for sentence in [*misspellings(os.environ, _secret_files()), *problems]:
        typer.echo(sentence, err=True)
    if problems:
        raise typer.Exit(1)


def examine(process: Process) -> tuple[list[str], list[str]]:
    """Problems and lines of the settings, found in our environment."""
    try:
        settings = process.settings()
    except (ValidationError, SettingsError, OSError) as error:
        return problems_of(error), []
    problems = [sentence for one in process.checks if (sentence := _complaint_of(one, settings)) is not None]
    names = sorted(process.settings.model_fields)
    width = max(map(len, names))
    return problems, [
        f"{name.upper():{width}}  {_redacted(name, getattr(settings, name))}  ({_source_of(name)})"
        for name in names
    ]


def _complaint_of(check: Callable[[Settings], object], settings: Settings) -> str | None:
    try:
        check(settings)
    except (SystemExit, ScheduleInvalid) as error:
        return str(error).removeprefix("billbus: ")
    return None


def _redacted(name: str, value: object) -> str:
    if value is None or value == "":
        return "not set"
    shown = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
    if "://" in shown and (name.endswith("_url") or not isinstance(value, SecretStr)):
        return _without_password(shown)
    return f"set, {len(shown)} characters" if isinstance(value, SecretStr) else shown


def _without_password(url: str) -> str:
    """Nor what follows the path: parameters may hold keys."""
    parts = urlsplit(url)
    user, _, place = parts.netloc.rpartition("@")
    name, _, password = user.partition(":")
    told = f" (password set, {len(password)} characters)" if password else ""
    return f"{parts.scheme}://{f'{name}@' if name else ''}{place}{parts.path}{told}"


def _source_of(name: str) -> str:
    if name.upper() in os.environ or name in os.environ:
        return "environment"
    return "file" if name in _secret_files() else "default"


def _secret_files() -> list[str]:
    directory = os.environ.get(SECRETS_VARIABLE)
    if directory is None or not Path(directory).is_dir():
        return []
    return [path.name for path in Path(directory).iterdir() if path.is_file()]


def misspellings(variables: Iterable[str], files: Iterable[str]) -> list[str]:
    """A sentence for each name that nobody reads but that is nearly one that somebody does."""
    known = {name.upper() for process in PROCESSES.values() for name in process.settings.model_fields}
    known.add(SECRETS_VARIABLE)
    found = []
    for name in sorted({*variables, *files}):
        near = [] if name.upper() in known else get_close_matches(name.upper(), known, 1, LIKENESS)
        found += [f"{name} is no setting: is {each} meant?" for each in near]
    return found
