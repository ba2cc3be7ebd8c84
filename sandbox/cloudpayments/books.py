"""The twin's state: rows by key, rebuilt from the ledger, changed only by appending to it.

Called by every other file of the twin, under `lock`. An entry holds whole rows, so applying it again or
reading it back is the same upsert, and an effect stands in one line with its callbacks and its request id.
"""

import threading
from collections.abc import Iterable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

from sandbox.cloudpayments.ledger import Entry, Ledger
from sandbox.cloudpayments.records import Callback, Fault, Order, Result, Site, Transaction

REQUEST_ID_LIFE_SECONDS: Final = 3600
FIRST_TRANSACTION_ID: Final = 700_000_001


class Books:
    """All rows in memory over the file. Take `lock` around reads and changes that belong together."""

    def __init__(self, directory: Path) -> None:
        self.lock = threading.RLock()
        self.sites: dict[str, Site] = {}
        self.orders: dict[str, Order] = {}
        self.transactions: dict[int, Transaction] = {}
        self.callbacks: dict[int, Callback] = {}
        self.results: dict[tuple[str, str], Result] = {}
        self.requests: list[Entry] = []
        self.violations: list[Entry] = []
        self.faults: list[Fault] = []
        self._last_transaction_id = FIRST_TRANSACTION_ID - 1
        self._ledger = Ledger(directory)
        for entry in self._ledger.entries():
            self._apply(entry)

    def record(
        self,
        kind: str,
        at: float,
        *,
        site: Site | None = None,
        order: Order | None = None,
        transaction: Transaction | None = None,
        callbacks: Iterable[Callback] = (),
        result: Result | None = None,
        faults: Iterable[Fault] | None = None,
        facts: Entry | None = None,
    ) -> None:
        """Append one entry, then change the rows it holds."""
        rows = {"site": site, "order": order, "transaction": transaction, "result": result}
        entry: Entry = {"kind": kind, "at": at}
        entry |= {name: asdict(row) for name, row in rows.items() if row is not None}
        entry |= {"callbacks": [asdict(row) for row in callbacks]}
        entry |= {} if faults is None else {"faults": [asdict(row) for row in faults]}
        entry |= {} if facts is None else {"facts": facts}
        with self.lock:
            self._ledger.append(entry)
            self._apply(entry)

    def next_transaction_id(self) -> int:
        """Give an unused id; it is taken for good by the entry that names it."""
        self._last_transaction_id += 1
        return self._last_transaction_id

    def take_fault(self, point: str, kinds: Iterable[str], at: float) -> Fault | None:
        """Use up one of the script's faults for this point, if there is one of these kinds."""
        with self.lock:
            for place, fault in enumerate(self.faults):
                if fault.point == point and fault.kind in kinds and fault.times > 0:
                    rest = [*self.faults]
                    rest[place] = replace(fault, times=fault.times - 1)
                    self.record("fault_used", at, faults=rest, facts={"point": point, "fault": fault.kind})
                    return fault
        return None

    def remembered(self, public_id: str, request_id: str, at: float) -> Result | None:
        """Find what this request id was answered with in the last hour."""
        result = self.results.get((public_id, request_id))
        return result if result is not None and at - result.at < REQUEST_ID_LIFE_SECONDS else None

    def refunded_minor(self, transaction_id: int) -> int:
        """Sum what was refunded of a payment."""
        return sum(
            row.amount_minor for row in self.transactions.values() if row.original_id == transaction_id
        )

    def close(self) -> None:
        """Close the file."""
        self._ledger.close()

    def _apply(self, entry: Entry) -> None:
        parts: dict[str, Any] = entry
        if site := parts.get("site"):
            self.sites[site["public_id"]] = Site(**site)
        if order := parts.get("order"):
            self.orders[order["order_id"]] = Order(**order)
        if transaction := parts.get("transaction"):
            self.transactions[transaction["transaction_id"]] = Transaction(**transaction)
        for callback in parts["callbacks"]:
            self.callbacks[callback["callback_id"]] = Callback(**callback)
        if result := parts.get("result"):
            self.results[result["public_id"], result["request_id"]] = Result(**result)
        if "faults" in parts:
            self.faults = [Fault(**fault) for fault in parts["faults"]]
        self._apply_facts(parts["kind"], parts["at"], parts.get("facts", {}))

    def _apply_facts(self, kind: str, at: float, facts: Entry) -> None:
        if kind == "request":
            self.requests.append({"at": at, **facts})
        if kind == "violation":
            self.violations.append({"at": at, **facts})
        named = max(self.transactions, default=0), int(str(facts.get("transaction_id", 0)))
        self._last_transaction_id = max(self._last_transaction_id, *named)
