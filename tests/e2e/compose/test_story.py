"""The main job on the stack of docker-compose.yml, through nginx over TLS."""

import re
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID
from zoneinfo import ZoneInfo

import httpx
import jwt
import pytest

from cli.demo import DEMO_STUDIO_ID
from demo.client import Json
from demo.story import ADMIN_API, API
from tests.e2e.compose.town import Town, Visit

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

ACTIVE = "The subscription begins"
# What comes after it moves the studio's clock from a command line beside the stack.
LAST_BY_THE_REAL_CLOCK = "Cancels the booking"
# When letters of the clock may go out, at the studio's.
DAYTIME_HOUR = 12
REMINDED_DAYS_BEFORE = 6
KEY = "/tmp/key"  # noqa: S108  # in the container's memory
_LINK = re.compile(r"https://localhost:\d+/links/([\w.-]+)")


def test_customer_subscribes_books_pays_and_gets_the_money_back_through_the_gateway(town: Town) -> None:
    with town.visit() as visit:
        visit.play(LAST_BY_THE_REAL_CLOCK)
    assert '"url.path":"/callbacks/cloudpayments/' in town.stack.child("nginx").read_log()
    said = town.stack.run("migrate", "billbus", "verify", "--settled", "--twin", "http://twin:8100")
    assert said.strip(), "verify has nothing to say"
    assert town.stack.ended() == []


def test_what_happened_is_found_again_by_its_correlation_id(town: Town) -> None:
    with town.visit() as visit:
        visit.play("Sees the invoice")
        [subscription] = visit.api.get(f"{API}/subscriptions")["items"]
        events = town.wait_for(
            lambda: _events_of(town, subscription["id"]), lambda seen: bool(seen), "an event in the log"
        )
        correlation_id = str(events[0][1])
        visit.sign_in_staff()
        found = visit.staff.get(f"{ADMIN_API}/events?correlation_id={correlation_id}")["items"]
    assert {one["kind"] for one in found} >= {"subscription.created", "invoice.opened"}
    # The same request, as the gateway and the processes wrote it down.
    for names in (("nginx",), ("client_api",), ("billing_consumer", "billing_consumer_2")):
        assert any(correlation_id in town.stack.child(name).read_log() for name in names), names


def test_reminder_run_twice_writes_one_letter_and_its_link_ends_the_subscription(town: Town) -> None:
    with ExitStack() as closing:
        visits = [closing.enter_context(town.visit()) for _ in range(2)]
        for visit in visits:
            visit.play(ACTIVE)
        ends_at = [_subscription(visit)["current_period_end"] for visit in visits]
        _move_clock(town, datetime.fromisoformat(max(ends_at)))
        town.stack.run("cron", "billbus", "cron", "run", "renewal")
        for visit in visits:
            visit.wait_for(partial(_has_second_invoice, visit), "a second invoice")
        first = town.stack.run("cron", "billbus", "cron", "run", "reminder")
        second = town.stack.run("cron", "billbus", "cron", "run", "reminder")
        assert "reminder: 0 messages" in second, (first, second)
        for visit in visits:
            letter = _only_reminder(town, visit)
            _press_link(town, visit, letter)


def test_backup_by_the_clock_is_proven_by_a_drill(town: Town) -> None:
    recipient = town.stack.run("cron", "billbus", "backup", "key", KEY).split()[-1]
    backup = f"BACKUP_RECIPIENT={recipient} billbus cron run backup"
    assert "backup: 1" in town.stack.run("cron", "sh", "-c", backup)
    said = town.stack.run("cron", "billbus", "restore-drill", "--identity", KEY)
    assert "proven" in said, said
    rows = town.rows(
        "SELECT job, outcome FROM job_run WHERE job IN ('backup', 'restore_drill') AND outcome = 'done'"
    )
    assert {job for job, _ in rows} == {"backup", "restore_drill"}


def _has_second_invoice(visit: Visit) -> bool:
    return len(visit.api.get(f"{API}/invoices")["items"]) == 2


def _subscription(visit: Visit) -> Json:
    [subscription] = visit.api.get(f"{API}/subscriptions")["items"]
    return dict(subscription)


def _events_of(town: Town, subject_id: str) -> list[tuple[object, ...]]:
    return town.rows(
        "SELECT kind, correlation_id FROM event_log WHERE subject_id = %s AND kind = 'subscription.created'",
        subject_id,
    )


def _move_clock(town: Town, period_end: datetime) -> None:
    """The studio's clock, by staff of the platform: some days before the period's end, in the daytime."""
    [[timezone]] = town.rows("SELECT timezone FROM studio WHERE id = %s", DEMO_STUDIO_ID)
    day = (period_end - timedelta(days=REMINDED_DAYS_BEFORE)).astimezone(ZoneInfo(str(timezone)))
    at = day.replace(hour=DAYTIME_HOUR, minute=0, second=0, microsecond=0)
    seconds = int((at - datetime.now(UTC)).total_seconds())
    town.rows(
        "INSERT INTO clock_offset VALUES (%s, %s) ON CONFLICT (studio_id)"
        " DO UPDATE SET offset_seconds = excluded.offset_seconds",
        DEMO_STUDIO_ID,
        seconds,
    )


def _only_reminder(town: Town, visit: Visit) -> Json:
    """The one letter of this customer's one reminder."""
    rows = town.rows(
        "SELECT n.id FROM notification n JOIN customer c ON c.id = n.customer_id"
        " WHERE c.email = %s AND n.kind = 'renewal' AND n.channel = 'email'",
        visit.email,
    )
    assert len(rows) == 1, rows
    mark = f"<{rows[0][0]}@"
    letters = town.wait_for(
        lambda: [one for one in town.letters(visit.email) if one["message_id"].startswith(mark)],
        lambda seen: bool(seen),
        "a reminder in the mailbox",
    )
    assert len(letters) == 1
    return letters[0]


def _press_link(town: Town, visit: Visit, letter: Json) -> None:
    """Looking changes nothing; the button does."""
    tokens: Sequence[str] = _LINK.findall(letter["text"])
    token = next(one for one in tokens if _purpose(one) == "cancel")
    with town.browser() as browser:
        page = browser.get(f"{town.client_url}/links/{token}")
        assert page.status_code == httpx.codes.OK, page.text
        assert not _subscription(visit)["cancel_at_period_end"]
        press = re.search(r'name="press" value="([^"]+)"', page.text)
        assert press is not None, page.text
        done = browser.post(f"{town.client_url}/links/{token}", data={"press": press[1]})
        assert done.status_code == httpx.codes.OK, done.text
    visit.wait_for(lambda: bool(_subscription(visit)["cancel_at_period_end"]), "to be ended by the link")


def _purpose(token: str) -> str:
    claims = jwt.decode(token, options={"verify_signature": False})
    assert UUID(claims["sub"])
    return str(claims["pur"])


def test_plain_http_leads_to_tls_and_the_admin_has_its_own_door(town: Town) -> None:
    with town.browser() as browser:
        answer = browser.get(town.http_url, follow_redirects=False)
        assert (answer.status_code, answer.headers["location"]) == (301, f"{town.client_url}/")
        assert browser.get(f"{town.admin_url}/admin/").status_code == httpx.codes.OK
        assert browser.get(f"{town.client_url}/admin/").status_code == httpx.codes.NOT_FOUND
