"""The entry of `billbus`: the groups, and the sentences that expected failures end with."""

import sys

import httpx
import psycopg
import sqlalchemy.exc
import typer
from psycopg.errors import InsufficientPrivilege

from backups.failures import BackupFailed
from cli import (
    backups,
    bus,
    configuration,
    database,
    demo,
    documents,
    jobs,
    machines,
    refunds,
    staff,
    studios,
    verification,
)
from cli.service_urls import ServiceUrlWrong
from models.logins import LoginRefused
from models.migrate import MigrationRefused, RolesMissing
from runtime.logging import configure
from storage.sealing import SealingKeyWrong
from storage.verification import InvariantsMissing

app = typer.Typer(
    no_args_is_help=True, pretty_exceptions_enable=False, help="Billbus: bootstrap, inspect and verify."
)
app.add_typer(database.group, name="db")
app.add_typer(bus.group, name="bus")
app.add_typer(refunds.group, name="refunds")
app.add_typer(machines.group, name="machines")
app.add_typer(studios.group, name="studio")
app.add_typer(staff.group, name="staff")
app.add_typer(jobs.group, name="cron")
app.add_typer(configuration.group, name="config")
app.add_typer(demo.group, name="demo")
app.add_typer(documents.group, name="docs")
app.command(name="verify")(verification.verify_books)
app.add_typer(backups.group, name="backup")
app.command(name="restore-drill")(backups.restore_drill)
app.command(name="restore")(backups.restore_backup)


def main() -> None:
    """Runs the command line; what a person can mend is told in a sentence, not in a traceback."""
    configure("billbus", "ERROR")
    try:
        app(prog_name="billbus")
    except (
        BackupFailed,
        RolesMissing,
        MigrationRefused,
        SealingKeyWrong,
        InvariantsMissing,
        ServiceUrlWrong,
        LoginRefused,
    ) as error:
        sys.exit(f"billbus: {error}")
    except sqlalchemy.exc.OperationalError as error:
        # Never the statement or its parameters: they may hold what is sealed.
        sys.exit(f"billbus: the database does not do it: {error.orig}".strip())
    except psycopg.OperationalError as error:
        sys.exit(f"billbus: the database does not do it: {error}".strip())
    except (sqlalchemy.exc.ProgrammingError, psycopg.ProgrammingError) as error:
        refusal = error.orig if isinstance(error, sqlalchemy.exc.ProgrammingError) else error
        if not isinstance(refusal, InsufficientPrivilege):
            raise
        sys.exit(
            f"billbus: this login lacks the right ({refusal.diag.message_primary}): "
            "the owner of the tables has it, as whom the service migrate logs in"
        )
    except httpx.HTTPError as error:
        sys.exit(f"billbus: the twin does not answer: {error}")


if __name__ == "__main__":
    main()
