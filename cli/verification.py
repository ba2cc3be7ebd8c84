"""`billbus verify`: proves the books and prints what it found. Exit code 1 if something must not be."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from cli.connections import database_url
from cli.twin_ledger import fetch_twin_ledger, read_twin_ledger
from storage.database import create_role_engine
from storage.verification import ROLE, Check, ProviderEntry, Report, verify

FINDINGS_SHOWN = 10
UNAPPLIED_SHOWN = 20
OWED_SHOWN = 20


def verify_books(
    settled: Annotated[bool, typer.Option("--settled", help="Also what is only true at rest.")] = False,
    twin: Annotated[str | None, typer.Option(help="Compare with the ledger of the twin at this URL.")] = None,
    twin_ledger: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="Compare with this ledger.jsonl of a twin."),
    ] = None,
) -> None:
    """Check every invariant over all rows, recompute the chains of events, compare with the provider."""
    if twin and twin_ledger:
        raise typer.BadParameter("give --twin or --twin-ledger, not both")
    engine = create_role_engine(database_url(), ROLE, "billbus verify")
    try:
        report = verify(engine, settled=settled, provider_entries=_entries(twin, twin_ledger))
    finally:
        engine.dispose()
    print_report(report, Console())
    if not report.is_clean:
        raise typer.Exit(1)


def _entries(twin: str | None, twin_ledger: Path | None) -> list[ProviderEntry] | None:
    if twin:
        return fetch_twin_ledger(twin)
    return read_twin_ledger(twin_ledger) if twin_ledger else None


def print_report(report: Report, console: Console) -> None:
    """A line per invariant, then what breaks them, then what waits for a person."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True)
    # The name is what a person looks the view up by: it is never shortened.
    table.add_column(no_wrap=True, min_width=max(len(check.name) for check in report.checks))
    table.add_column()
    for check in report.checks:
        mark = "[red]✗[/red]" if check.count else "[green]✓[/green]"
        table.add_row(mark, f"[bold]{check.name}[/bold]", check.statement)
    console.print(table)
    for check in report.violations:
        _print_findings(check, console)
    _print_waiting(report, console)
    verdict = (
        "[green]clean[/green]"
        if report.is_clean
        else f"[red]{len(report.violations)} invariants broken[/red]"
    )
    console.print(f"\n{len(report.checks)} invariants over {report.event_count} events: {verdict}")


def _print_findings(check: Check, console: Console) -> None:
    console.print(f"\n[red]{check.name}[/red]: {check.count}")
    for finding in check.findings[:FINDINGS_SHOWN]:
        console.print(f"  {finding.subject}: {finding.fault}", markup=False, highlight=False)
    if check.count > FINDINGS_SHOWN:
        console.print(f"  and {check.count - FINDINGS_SHOWN} more")


def _print_waiting(report: Report, console: Console) -> None:
    if report.unapplied:
        console.print("\nUnapplied, in the books and waiting for a person:")
    for one in report.unapplied[:UNAPPLIED_SHOWN]:
        left_minor = one.amount_minor - one.refunded_minor
        line = f"  {left_minor} {one.currency} (minor units), transaction {one.transaction_id}: {one.reason}"
        console.print(line, markup=False, highlight=False)
    if len(report.unapplied) > UNAPPLIED_SHOWN:
        console.print(f"  and {len(report.unapplied) - UNAPPLIED_SHOWN} more")
    _print_owed(report, console)
    if report.parked_count:
        console.print(f"\nParked commands, waiting for a person: {report.parked_count}")


def _print_owed(report: Report, console: Console) -> None:
    if report.owed:
        console.print("\nPromised, declined by the provider and still here, waiting for a person:")
    for one in report.owed[:OWED_SHOWN]:
        whose = f"booking {one.booking_id}" if one.booking_id else "a booking that was lost"
        line = f"  {one.amount_minor} {one.currency} (minor units), transaction {one.transaction_id}: {whose}"
        console.print(line, markup=False, highlight=False)
    if len(report.owed) > OWED_SHOWN:
        console.print(f"  and {len(report.owed) - OWED_SHOWN} more")
