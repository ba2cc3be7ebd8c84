"""Carries the twin's notifications: asks Check, plans the others, repeats them until they are answered.

Called by `cashier`, `operations` and `control`; one thread watches what is due, a few carry it. A callback is
planned in the same ledger entry as its effect and its tries are entries too, so a restart goes on with them.
"""

import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from types import MappingProxyType
from typing import Final

import httpx

from sandbox.cloudpayments.books import Books
from sandbox.cloudpayments.notices import sign, write_notice
from sandbox.cloudpayments.records import Callback, CallbackName, Transaction

TRY_LIMIT: Final = 100
CARRIERS: Final = 8
WATCH_SECONDS: Final = 30.0
CALLBACK_FAULTS: Final = (
    "callback_twice", "callback_late", "callback_lost", "callbacks_out_of_order", "forged_callback",
)  # fmt: skip
# Which decline the payer's bank sees after an answer to Check.
_CHECK_REASONS: Final = MappingProxyType({0: 0, 10: 3001, 11: 3002, 12: 3003, 13: 3008, 20: 3004})


class Courier:
    """Owns the outgoing connections and the retry clock."""

    def __init__(
        self,
        books: Books,
        clock: Callable[[], float],
        retry_gaps_seconds: Sequence[float],
        timeout_seconds: float,
    ) -> None:
        self._books = books
        self._clock = clock
        self._gaps = retry_gaps_seconds
        # The addresses are the product's own; nothing in the environment may send them elsewhere.
        self._http = httpx.Client(timeout=timeout_seconds, trust_env=False, follow_redirects=False)
        self._pool = ThreadPoolExecutor(CARRIERS, thread_name_prefix="courier")
        self._carried: set[int] = set()
        self._wake = threading.Event()
        self._stopping = False
        self._watcher = threading.Thread(target=self._watch, name="courier-watch", daemon=True)

    def start(self) -> None:
        """Begin to deliver, first of all what an earlier run left."""
        self._watcher.start()

    def stop(self) -> None:
        """Finish the tries under way and end."""
        self._stopping = True
        self._wake.set()
        self._watcher.join()
        self._pool.shutdown(cancel_futures=True)
        self._http.close()

    def wake(self) -> None:
        """Look at what is due, after new callbacks were recorded."""
        self._wake.set()

    def ask_check(self, transaction: Transaction) -> int:
        """Ask the shop before money moves; gives 0 or the ReasonCode of the decline that follows."""
        site = self._books.sites[transaction.public_id]
        if not site.callbacks.get("check"):
            return 0
        body, content_type = write_notice("check", site, transaction)
        facts = {"transaction_id": transaction.transaction_id, "invoice_id": transaction.invoice_id}
        self._books.record("check_asked", self._clock(), facts={**facts})
        code, answer = self._send(site.callbacks["check"], body, sign(site.secret, body, content_type))
        reason = {None: 3007, -1: 3006}.get(code) or _CHECK_REASONS.get(code or 0, 3005)
        self._books.record(
            "check_answered", self._clock(), facts={**facts, "answer": answer, "reason_code": reason}
        )
        return reason

    def plan(self, name: CallbackName, transaction: Transaction) -> list[Callback]:
        """Write the callbacks of an effect, as the fault script wants them. The caller records them."""
        site = self._books.sites[transaction.public_id]
        if not site.callbacks.get(name):
            return []
        body, content_type = write_notice(name, site, transaction)
        first = Callback(
            callback_id=len(self._books.callbacks) + 1,
            name=name,
            public_id=site.public_id,
            invoice_id=transaction.invoice_id,
            transaction_id=transaction.transaction_id,
            body=body,
            content_type=content_type,
            state="waiting",
            tries=0,
            next_at=transaction.created_at,
            last_answer="",
            forged=False,
        )
        fault = self._books.take_fault(f"callback/{name}", CALLBACK_FAULTS, transaction.created_at)
        match fault.kind if fault else "":
            case "callback_twice":
                return [first, replace(first, callback_id=first.callback_id + 1)]
            case "callback_late":
                return [replace(first, next_at=first.next_at + (fault.milliseconds if fault else 0) / 1000)]
            case "callback_lost":
                return [replace(first, state="lost")]
            case "callbacks_out_of_order":
                return [replace(first, state="held")]
            case "forged_callback":
                bigger = replace(transaction, amount_minor=transaction.amount_minor + 100)
                forged_body, _ = write_notice(name, site, bigger)
                number = first.callback_id + 1
                return [first, replace(first, callback_id=number, body=forged_body, forged=True)]
        return [first]

    def deliver_due(self, *, everything: bool = False) -> int:
        """Carry what is due (or all that waits or is held) and come back when every try was answered."""
        with self._books.lock:
            now = self._clock()
            due = [
                row.callback_id
                for row in self._books.callbacks.values()
                if (row.state == "waiting" and (everything or row.next_at <= now))
                or (row.state == "held" and everything)
            ]
        self.deliver(due)
        return len(due)

    def deliver(self, callback_ids: Iterable[int]) -> None:
        """Carry these now; those already under way are left to their carrier."""
        wait([self._pool.submit(self._carry, callback_id) for callback_id in callback_ids])

    def _watch(self) -> None:
        while not self._stopping:
            self._wake.clear()
            with self._books.lock:
                now = self._clock()
                waiting = {
                    row.callback_id: row.next_at
                    for row in self._books.callbacks.values()
                    if row.state == "waiting" and row.callback_id not in self._carried
                }
            for callback_id, next_at in waiting.items():
                if next_at <= now:
                    self._pool.submit(self._carry, callback_id)
            later = [next_at - now for next_at in waiting.values() if next_at > now]
            self._wake.wait(min(later, default=WATCH_SECONDS))

    def _carry(self, callback_id: int) -> None:
        with self._books.lock:
            callback = self._books.callbacks[callback_id]
            if callback_id in self._carried or callback.state not in ("waiting", "held"):
                return
            self._carried.add(callback_id)
            site = self._books.sites[callback.public_id]
        secret = "not the secret" if callback.forged else site.secret
        headers = sign(secret, callback.body, callback.content_type)
        code, answer = self._send(site.callbacks.get(callback.name, ""), callback.body, headers)
        with self._books.lock:
            self._record_try(callback, code, answer)
            self._carried.discard(callback_id)
        self.wake()

    def _record_try(self, callback: Callback, code: int | None, answer: str) -> None:
        now = self._clock()
        tries = callback.tries + 1
        changed = replace(callback, tries=tries, last_answer=answer)
        if code == 0 or callback.forged:
            changed = replace(changed, state="delivered" if code == 0 else "exhausted")
        elif tries >= TRY_LIMIT:
            changed = replace(changed, state="exhausted")
        else:
            gap = self._gaps[min(tries, len(self._gaps)) - 1]
            changed = replace(changed, state="waiting", next_at=now + gap)
        self._books.record("callback_sent", now, callbacks=[changed, *self._released_by(changed, now)])

    def _released_by(self, callback: Callback, now: float) -> list[Callback]:
        """A callback held back to come out of order goes once a later one of its invoice has arrived."""
        if callback.state != "delivered":
            return []
        return [
            replace(row, state="waiting", next_at=now)
            for row in self._books.callbacks.values()
            if row.state == "held"
            and (row.public_id, row.invoice_id) == (callback.public_id, callback.invoice_id)
            and row.callback_id < callback.callback_id
        ]

    def _send(self, address: str, body: str, headers: dict[str, str]) -> tuple[int | None, str]:
        """Post once; gives the answer's code (None: not connected, -1: unavailable, -2: unreadable)."""
        try:
            response = self._http.post(address, content=body.encode(), headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return None, type(error).__name__
        answer = f"{response.status_code} {response.text[:200]}"
        if response.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
            return -1, answer
        try:
            code = response.json()["code"]
        except (ValueError, KeyError, TypeError):
            return -2, answer
        is_code = response.is_success and isinstance(code, int) and not isinstance(code, bool)
        return (code if is_code else -2), answer
