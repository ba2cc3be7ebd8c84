"""A shop with a site at the real twin, and the worker's tasks as functions of this process.

Called by the tests of the worker; `terminal` in `conftest` opens one. What the tasks want sent lies in a
Celery folder.
"""

import base64
import secrets
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson

from bus.messages import RecordPaymentOutcome, decode_command
from kit.ids import new_id, sha256
from state_updater.apply import Received
from state_updater.tasks.payments import look_up_payment, start_payment
from state_updater.tasks.refunds import look_up_refund, send_refund
from tests.contract.providers.terminals import Twin
from tests.integration.state_updater.stages import Stage


class Terminal:
    """A shop with a site at the twin, and the worker's hands."""

    def __init__(self, shop: Stage, twin: Twin, folder: Path) -> None:
        self.shop, self.twin, self.folder = shop, twin, folder
        self.public_id = f"pk_{secrets.token_hex(8)}"
        site = {"secret": "s3cret", "is_test": True, "format": "form", "callbacks": {}}
        twin.send("PUT", f"/_twin/sites/{self.public_id}", json=site).raise_for_status()
        shop.set_up(api_url=twin.url, public_id=self.public_id, secret="s3cret")

    def ids(self, **named: UUID) -> dict[str, str]:
        ids = {name: str(value) for name, value in named.items()}
        return ids | {"studio_id": str(self.shop.studio_id), "correlation_id": "test"}

    def start(self, attempt_id: UUID) -> None:
        start_payment(**self.ids(attempt_id=attempt_id))

    def look_up(self, attempt_id: UUID) -> None:
        look_up_payment(**self.ids(attempt_id=attempt_id))

    def send_refund(self, refund_id: UUID) -> None:
        send_refund(**self.ids(refund_id=refund_id))

    def look_up_refund(self, refund_id: UUID) -> None:
        look_up_refund(**self.ids(refund_id=refund_id))

    def apply_waiting(self) -> list[str]:
        """Applies what this studio has in the journal; the kinds and outcomes that were told."""
        rows = self.shop.rows(
            "SELECT command_id, kind, body FROM command_journal"
            " WHERE studio_id = :studio AND state = 'accepted' ORDER BY sequence"
        )
        group = [
            Received(command_id, sha256(bytes(body)), decode_command(kind, 1, bytes(body)))
            for command_id, kind, body in rows
        ]
        assert all(answer.state in ("applied", "refused") for answer in self.shop.apply(group))
        return [getattr(each.command, "outcome", type(each.command).__name__) for each in group]

    def calls(self) -> list[tuple[str, str | None]]:
        """(kind, outcome) of every call on record, oldest first."""
        found = self.shop.rows(
            "SELECT kind, outcome FROM provider_call WHERE studio_id = :studio"
            " ORDER BY started_at, call_number"
        )
        return [(kind, outcome) for kind, outcome in found]

    def requests(self, endpoint: str) -> int:
        """How often the twin was asked this for our site, answered or not."""
        books = self.twin.send("GET", "/_twin/ledger").json()
        return sum(
            1
            for each in books["requests"]
            if each["endpoint"] == endpoint and each["public_id"] == self.public_id
        )

    def books(self, name: str) -> list[dict[str, Any]]:
        return self.twin.ledger(self.public_id)[name]

    def sent_tasks(self) -> list[tuple[str, str]]:
        """(task, id) of what was put on the Celery broker for this studio; taken away by looking."""
        found = []
        for path in sorted((self.folder / "queue").glob("*.msg")):
            message = orjson.loads(path.read_bytes())
            _, arguments, _ = orjson.loads(base64.b64decode(message["body"]))
            path.unlink()
            if arguments["studio_id"] == str(self.shop.studio_id):
                subject = arguments.get("attempt_id") or arguments.get("refund_id")
                found.append((message["headers"]["task"], subject))
                assert set(arguments) <= {"attempt_id", "refund_id", "studio_id", "correlation_id"}
        return found

    def age_calls(self, minutes: int) -> None:
        """All calls so far were that much earlier."""
        self.shop.rows(
            "UPDATE provider_call SET started_at = started_at - make_interval(mins => :minutes),"
            " lease_until = lease_until - make_interval(mins => :minutes),"
            " next_at = next_at - make_interval(mins => :minutes) WHERE studio_id = :studio",
            minutes=minutes,
        )

    def offer_link(self) -> tuple[UUID, UUID, UUID]:
        return self.shop.offer("link")

    def press(self, attempt_id: UUID, button: str) -> None:
        """The payer presses `pay` or `decline` on the page of a link."""
        url = self.shop.one("SELECT redirect_url FROM payment_attempt WHERE id = :id", id=attempt_id)
        self.twin.send("POST", f"{url.removeprefix(self.twin.url)}/{button}").raise_for_status()

    def pay_link(self) -> RecordPaymentOutcome:
        """A link that was asked for, opened and paid, as its look-up tells."""
        _, _, attempt_id = self.offer_link()
        self.start(attempt_id)
        self.apply_waiting()
        self.press(attempt_id, "pay")
        self.look_up(attempt_id)
        body = self.shop.one(
            "SELECT body FROM command_journal WHERE studio_id = :studio AND state = 'accepted'"
        )
        assert self.apply_waiting() == ["succeeded"]
        told = decode_command("RecordPaymentOutcome", 1, bytes(body))
        assert isinstance(told, RecordPaymentOutcome)
        return told

    def approved_refund(self, amount_minor: int = 50_000) -> UUID:
        paid = self.pay_link()
        refund_id = new_id()
        assert (
            self.shop.tell(
                self.shop.request(refund_id, paid, amount_minor), self.shop.approve(refund_id, paid)
            )
            == ["applied"] * 2
        )
        return refund_id
