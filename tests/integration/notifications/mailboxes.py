"""A real mailbox process on private ports, and an office that sends to it at the time that a test says."""

import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from pydantic import SecretStr
from sqlalchemy import Engine

from bus.events import decode_event
from kit.ids import new_id
from notifications.planning import Reminder, plan_for_event, plan_reminders
from notifications.sending import Office, send_due
from notifications.sms import SmsSender
from runtime.ports import free_port
from runtime.settings import MailSettings
from storage.database import create_role_engine
from tests.integration.state_updater.shops import PRICE_MINOR, Shop

ROOT = Path(__file__).parents[3]
START_SECONDS_MAX = 20.0
LINK_KEY = "l" * 32
MAIL_FROM = "billing@example.org"

Json = dict[str, Any]


@dataclass
class Mailbox:
    """Stopping it is what a server that is down is."""

    state: Path
    port: int = field(default_factory=free_port)
    smtp_port: int = field(default_factory=free_port)
    process: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        command = [sys.executable, "-m", "sandbox.mailbox", "--port", str(self.port)]
        command += ["--smtp-port", str(self.smtp_port), "--state", str(self.state)]
        self.process = subprocess.Popen(command, cwd=ROOT)
        deadline = time.monotonic() + START_SECONDS_MAX
        while True:
            try:
                self._ask("GET", "/healthz")
            except httpx.TransportError:
                assert time.monotonic() < deadline, "the mailbox does not start"
                time.sleep(0.05)
            else:
                return

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(timeout=20)
            self.process = None

    def messages(self) -> list[Json]:
        """Oldest first."""
        found: list[Json] = self._ask("GET", "/_mailbox/messages").json()
        return found[::-1]

    def clear(self) -> None:
        self._ask("DELETE", "/_mailbox/messages")
        self.fault()

    def fault(self, *faults: Mapping[str, object]) -> None:
        self._ask("POST", "/_mailbox/faults", json={"faults": list(faults)})

    def _ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        url = f"http://127.0.0.1:{self.port}{path}"
        return httpx.request(method, url, trust_env=False, timeout=10, **more).raise_for_status()


@dataclass
class Post:
    """A shop whose letters go to a mailbox. Time is the world's and what a test has added to it."""

    shop: Shop
    mailbox: Mailbox
    later: timedelta = timedelta()
    sms: SmsSender | None = None
    settings: Json = field(default_factory=dict)
    _engines: dict[str, Engine] = field(default_factory=dict)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.later

    def wait(self, **time: float) -> None:
        """Lets time pass for those who send."""
        self.later += timedelta(**time)

    def engine(self, role: str) -> Engine:
        if role not in self._engines:
            self._engines[role] = create_role_engine(self.shop.url, role, "test")
        return self._engines[role]

    def close(self) -> None:
        for engine in self._engines.values():
            engine.dispose()

    def office(self) -> Office:
        given: Json = {
            "link_key": SecretStr(LINK_KEY),
            "smtp_host": "127.0.0.1",
            "smtp_port": self.mailbox.smtp_port,
            "smtp_security": "none",
            "mail_from": MAIL_FROM,
        }
        settings = MailSettings(**given | self.settings)
        return Office(self.engine("billbus_worker"), self.now, settings, self.sms)

    def send(self) -> int:
        return send_due(self.office())

    def hear(self) -> int:
        """Plans for every event that has happened in the shop, as the events process would; how many."""
        rows = self.shop.rows(
            "SELECT id, kind, schema_version, body::text, correlation_id FROM outbox"
            " WHERE studio_id = :studio AND channel = 'event' ORDER BY sequence"
        )
        with self.engine("billbus_events").begin() as connection:
            return sum(
                plan_for_event(
                    connection, decode_event(kind, version, body.encode()), kind, event_id, correlation_id
                )
                for event_id, kind, version, body, correlation_id in rows
            )

    def remind(self, subscription_id: Any, kind: Any = "renewal", **changes: Any) -> int:
        """Plans a reminder of the end of the period that runs, as cron would; how many were new."""
        period_end = self.shop.one(
            "SELECT current_period_end FROM subscription WHERE id = :id", id=subscription_id
        )
        reminder = Reminder(
            **{
                "studio_id": self.shop.studio_id,
                "customer_id": self.shop.customer_id,
                "subscription_id": subscription_id,
                "kind": kind,
                "period_end": period_end,
                "days_before": 7,
                "amount_minor": PRICE_MINOR,
                "currency": "RUB",
                "invoice_id": None,
                "correlation_id": new_id().hex,
                **changes,
            }
        )
        with self.engine("billbus_cron").begin() as connection:
            return plan_reminders(connection, [reminder], self.now())

    def states(self) -> dict[str, str]:
        """What became of each message of the shop: its state, or why it is not sent."""
        rows = self.shop.rows(
            "SELECT kind, state, problem FROM notification WHERE studio_id = :studio ORDER BY planned_at"
        )
        return {kind: problem if state == "superseded" else state for kind, state, problem in rows}

    def address(self) -> str:
        return f"{self.shop.customer_id}@studio.example"
