"""The ledger of a CloudPayments twin, over HTTP while it runs or from the file that it leaves.

Called by `billbus verify`. The file is the twin's own form: one JSON object a line.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

import httpx

from storage.verification import ProviderEntry

FETCH_TIMEOUT_SECONDS = 30.0

_Kind = Literal["capture", "refund"]


def fetch_twin_ledger(url: str) -> list[ProviderEntry]:
    """Asks the running twin at `url`. Raises httpx.HTTPError."""
    answer = httpx.get(f"{url.rstrip('/')}/_twin/ledger", timeout=FETCH_TIMEOUT_SECONDS)
    view = answer.raise_for_status().json()
    return [*_entries("capture", view["captures"]), *_entries("refund", view["refunds"])]


def read_twin_ledger(path: Path) -> list[ProviderEntry]:
    """Reads `ledger.jsonl`. A last line cut by a kill was told to nobody and does not count."""
    transactions: dict[int, Mapping[str, Any]] = {}
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            transaction = json.loads(line).get("transaction") if line.endswith("\n") else None
            if transaction:
                transactions[transaction["transaction_id"]] = transaction
    done = [row for row in transactions.values() if row["status"] == "Completed"]
    kinds: tuple[tuple[_Kind, str], ...] = (("capture", "Payment"), ("refund", "Refund"))
    return [
        entry
        for kind, operation in kinds
        for entry in _entries(kind, [row for row in done if row["operation"] == operation])
    ]


def _entries(kind: _Kind, rows: Iterable[Mapping[str, Any]]) -> list[ProviderEntry]:
    return [
        ProviderEntry(
            public_id=row["public_id"],
            transaction_id=str(row["transaction_id"]),
            kind=kind,
            amount_minor=row["amount_minor"],
            currency=row["currency"],
            invoice_id=row["invoice_id"],
        )
        for row in rows
    ]
