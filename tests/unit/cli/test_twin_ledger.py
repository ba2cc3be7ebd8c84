"""Reading the ledger that a twin leaves on disk."""

import json
from pathlib import Path

from cli.twin_ledger import read_twin_ledger
from storage.verification import ProviderEntry

PAYMENT = {
    "transaction_id": 7,
    "operation": "Payment",
    "status": "Completed",
    "public_id": "pk",
    "amount_minor": 100,
    "currency": "RUB",
    "invoice_id": "order",
    "original_id": None,
}
DECLINED = PAYMENT | {"transaction_id": 8, "status": "Declined"}
REFUND = PAYMENT | {"transaction_id": 9, "operation": "Refund", "amount_minor": 40, "original_id": 7}


def _write(path: Path, *transactions: dict[str, object], tail: str = "") -> Path:
    lines = [json.dumps({"kind": "any", "transaction": each}) + "\n" for each in transactions]
    path.write_text("".join([json.dumps({"kind": "request"}) + "\n", *lines, tail]))
    return path


def test_captures_and_refunds_are_read_and_declines_are_not(tmp_path: Path) -> None:
    entries = read_twin_ledger(_write(tmp_path / "ledger.jsonl", PAYMENT, DECLINED, REFUND))
    assert entries == [
        ProviderEntry("pk", "7", "capture", 100, "RUB", "order"),
        ProviderEntry("pk", "9", "refund", 40, "RUB", "order"),
    ]


def test_line_cut_by_a_kill_does_not_count(tmp_path: Path) -> None:
    torn = json.dumps({"transaction": REFUND})
    for tail in (torn, torn[:20]):
        entries = read_twin_ledger(_write(tmp_path / "ledger.jsonl", PAYMENT, tail=tail))
        assert [entry.transaction_id for entry in entries] == ["7"]


def test_transaction_told_twice_counts_once(tmp_path: Path) -> None:
    assert len(read_twin_ledger(_write(tmp_path / "ledger.jsonl", PAYMENT, PAYMENT))) == 1
