"""`billbus backup`, `restore-drill` and `restore`: copies of everything, and the proof that they can be used.

Called by people, and by whoever schedules a drill. Keys are read from files; no URL with a password has to
be an argument.
"""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from backups.configuration import write_out
from backups.drilling import Drill, run_drill
from backups.encryption import make_identity_file, read_identities
from backups.failures import BackupFailed
from backups.manifest import read_manifest
from backups.restoring import open_backup, restore
from backups.taking import list_backups, take_backup
from kit.clock import system_clock
from runtime.settings import BackupSettings, load_settings

group = typer.Typer()

BackupArgument = Annotated[Path | None, typer.Argument(help="A backup; the newest, if none is named.")]
IdentityOption = Annotated[
    Path, typer.Option("--identity", envvar="BACKUP_IDENTITY_FILE", help="The file with the age key.")
]


@group.callback(invoke_without_command=True)
def backup(context: typer.Context) -> None:
    """Take an encrypted backup of database and configuration now, as BACKUP_* say. Then the old ones go."""
    if context.invoked_subcommand is not None:
        return
    started = time.monotonic()
    taken = take_backup(load_settings(BackupSettings), system_clock())
    revision, rows, size = _facts_of(taken)
    typer.echo(taken)
    typer.echo(f"{rows} rows at revision {revision}, {size} encrypted, {time.monotonic() - started:.1f} s")


@group.command("list")
def list_all() -> None:
    """Print the backups of BACKUP_DIRECTORY, newest last."""
    table = Table(box=None, pad_edge=False)
    for name in ("backup", "revision"):
        table.add_column(name, no_wrap=True)
    for name in ("rows", "size"):
        table.add_column(name, no_wrap=True, justify="right")
    for one in list_backups(_directory()):
        table.add_row(one.name, *_facts_of(one))
    Console().print(table)


@group.command()
def key(file: Annotated[Path, typer.Argument(help="Where the secret half goes; must not exist.")]) -> None:
    """Make a key pair: the secret half into FILE, the recipient for BACKUP_RECIPIENT printed."""
    typer.echo(make_identity_file(file, system_clock()))
    typer.echo(f"{file} opens every backup: keep it, twice, where this machine cannot reach it.", err=True)


@group.command("configuration")
def write_configuration(
    backup: Annotated[Path, typer.Argument(help="A backup.")],
    into: Annotated[Path, typer.Option(help="Where its secrets and settings are written.")],
    identity: IdentityOption,
) -> None:
    """Write the secrets and the settings file that went with a backup."""
    opened = open_backup(backup, read_identities(identity), _Steps(Console(stderr=True)).step)
    for file in write_out(opened.configuration, into):
        typer.echo(file)


def restore_drill(
    identity: IdentityOption,
    backup: BackupArgument = None,
    server: Annotated[
        str | None,
        typer.Option(
            envvar="RESTORE_DRILL_DATABASE_URL",
            help="Another server, by the URL of any database there; else the one of BACKUP_DATABASE_URL.",
        ),
    ] = None,
) -> None:
    """Prove a backup: restore it into a scratch database, compare, migrate, verify. Exit 1 if it fails."""
    settings = load_settings(BackupSettings)
    if settings.backup_database_url is None:
        raise BackupFailed("BACKUP_DATABASE_URL must be set: the proof is recorded there.")
    live_url = settings.backup_database_url.get_secret_value()
    chosen = backup or _newest()
    drill = Drill(chosen, read_identities(identity), live_url, server or live_url)
    console = Console()
    console.print(f"[bold]{escape(chosen.name)}[/bold]", highlight=False)
    started = time.monotonic()
    with _ended_as_by_hand():
        try:
            proof = run_drill(drill, _Steps(console).step, system_clock)
        except BackupFailed:
            console.print("[red]not proven[/red]")
            raise
    for name in proof.left_over:
        console.print(f"A drill that was killed has left the database {name}: drop it.", highlight=False)
    console.print(
        f"[green]proven[/green] in {time.monotonic() - started:.1f} s: {proof.row_count} rows,"
        f" {proof.event_count} events, provider secrets: {proof.secret_count},"
        f" taken {proof.taken_at:%Y-%m-%d %H:%M} UTC",
        highlight=False,
    )


def restore_backup(
    backup: Annotated[Path, typer.Argument(help="A backup.")],
    into: Annotated[
        str, typer.Option(envvar="RESTORE_DATABASE_URL", help="An empty database, as who shall own it.")
    ],
    identity: IdentityOption,
) -> None:
    """Restore a backup into an empty database, at the backup's own revision."""
    console = Console()
    with _ended_as_by_hand():
        manifest = restore(backup, read_identities(identity), into, _Steps(console).step)
    console.print(
        f"[green]restored[/green] as of {manifest.taken_at:%Y-%m-%d %H:%M:%S} UTC, at revision"
        f" {manifest.books.schema_revision}. Next: `billbus db bootstrap`, `billbus db logins`.",
        highlight=False,
    )


class _Steps:
    """A line per step, with the seconds it took."""

    def __init__(self, console: Console) -> None:
        self._console = console

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        started = time.monotonic()
        try:
            with self._console.status(escape(title)):
                yield
        except BaseException:
            self._line("[red]✗[/red]", started, title)
            raise
        self._line("[green]✓[/green]", started, title)

    def _line(self, mark: str, started: float, title: str) -> None:
        seconds = time.monotonic() - started
        self._console.print(f"{mark} {seconds:7.1f} s  {escape(title)}", highlight=False, soft_wrap=True)


@contextmanager
def _ended_as_by_hand() -> Iterator[None]:
    """Whoever ends this process politely ends it as Ctrl-C does: scratch databases go."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _facts_of(backup: Path) -> tuple[str, str, str]:
    """Revision, rows and size; of one that cannot be read, that."""
    try:
        manifest = read_manifest(backup)
    except BackupFailed:
        return "unreadable", "", ""
    size_bytes = sum(facts.size_bytes for facts in manifest.files.values())
    rows = sum(manifest.books.row_counts.values())
    return manifest.books.schema_revision, str(rows), _size(size_bytes)


def _directory() -> Path:
    directory = load_settings(BackupSettings).backup_directory
    if directory is None:
        raise BackupFailed("BACKUP_DIRECTORY must be set.")
    return directory


def _newest() -> Path:
    directory = _directory()
    backups = list_backups(directory)
    if not backups:
        raise BackupFailed(f"There is no backup in {directory}.")
    return backups[-1]


def _size(size_bytes: int) -> str:
    return f"{size_bytes / 1024 / 1024:.1f} MiB"
