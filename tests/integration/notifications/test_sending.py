"""Messages against a real SMTP server: each occasion told once, late rather than never, never untrue."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest

from kit.ids import new_id
from notifications import email, sending
from notifications.links import read_link
from notifications.looking import LINES_LIMIT
from notifications.sms import ConsoleSms
from runtime.logging import configure
from storage.notifications import Planned, plan
from tests.contract.providers.terminals import until
from tests.integration.notifications.mailboxes import LINK_KEY, MAIL_FROM, ROOT, Post
from tests.integration.state_updater.shops import SEALING_KEY, Shop

DOWN = {"kind": "down", "times": 10_000}
DRIP_SECONDS = 8.0


def planned(post: Post, count: int = 1, **changes: object) -> list[UUID]:
    """So many letters that are true: of payments that succeeded, of customers of their own."""
    occasions = []
    for _ in range(count):
        paid = post.shop.pay()
        occasions.append(
            Planned(
                **{
                    "studio_id": post.shop.studio_id,
                    "customer_id": post.shop.customer_id,
                    "kind": "payment_succeeded",
                    "channel": "email",
                    "subject_id": paid.attempt_id,
                    "occasion": "succeeded",
                    "facts": {},
                    "causation_id": new_id(),
                    "correlation_id": "test",
                    "due_at": datetime.now(UTC),
                    **changes,
                }  # type: ignore[arg-type]
            )
        )
    with post.engine("billbus_events").begin() as connection:
        assert plan(connection, occasions) == count
    return [occasion.id for occasion in occasions]


@contextmanager
def dripping_server(greeting: bytes) -> Iterator[int]:
    """Its port; it says `greeting` again and again, each time well within the limit of one answer."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        dripping = threading.Thread(target=_drip, args=(server, greeting))
        dripping.start()
        yield server.getsockname()[1]
        dripping.join()


def _drip(server: socket.socket, greeting: bytes) -> None:
    until_then = time.monotonic() + DRIP_SECONDS
    connection, _ = server.accept()
    with connection, suppress(OSError):
        while time.monotonic() < until_then:
            connection.sendall(greeting)
            time.sleep(0.1)


def row(post: Post, notification_id: UUID) -> tuple[object, ...]:
    ((state, tries, problem),) = post.shop.rows(
        "SELECT state, tries, problem FROM notification WHERE id = :id", id=notification_id
    )
    return state, tries, problem


# ---------------------------------------------------------------- what is told


def test_a_subscription_that_is_paid_at_once_is_told_of_without_a_bill(post: Post) -> None:
    post.shop.pay()
    assert post.hear() == 3
    assert post.hear() == 0
    post.wait(minutes=3)
    post.send()
    assert post.states() == {
        "invoice_issued": "invoice_paid",
        "payment_succeeded": "sent",
        "subscription_started": "sent",
    }
    subjects = {message["subject"] for message in post.mailbox.messages()}
    assert subjects == {"Получили ваш платёж: 1 490 ₽", "Подписка «Месяц» началась"}


def test_a_letter_carries_its_facts_and_links_that_work(post: Post) -> None:
    _, invoice_id = post.shop.subscribe()
    post.hear()
    post.send()
    assert post.mailbox.messages() == []
    post.wait(minutes=3)
    post.send()
    (message,) = post.mailbox.messages()
    assert message["to"] == post.address()
    assert message["from"] == MAIL_FROM
    headers = dict(message["headers"])
    assert headers["From"] == f"Studio <{MAIL_FROM}>"
    assert headers["Auto-Submitted"] == "auto-generated"
    assert "1\u00a0490\u00a0₽" in message["text"]
    (address,) = re.findall(r"https://\S+", message["text"])
    assert address.startswith(f"https://{post.shop.studio_id}.example/links/")
    link = read_link(LINK_KEY, address.rpartition("/")[2], post.now())
    assert (link.purpose, link.subject_id, link.customer_id) == ("pay", invoice_id, post.shop.customer_id)


def test_the_letter_of_an_invoice_outside_subscriptions_says_what_it_is_for(post: Post) -> None:
    amounts_minor = [100_00 + number for number in range(LINES_LIMIT)]
    assert post.shop.tell(post.shop.issue(new_id(), *amounts_minor, 7_00, 8_00)) == ["applied"]
    post.hear()
    post.wait(minutes=3)
    post.send()
    text = post.mailbox.messages()[0]["text"].replace("\u00a0", " ")
    assert re.findall(r"Барабаны: 100,?\d* ₽", text) == [
        "Барабаны: 100 ₽",
        *(f"Барабаны: 100,0{number} ₽" for number in range(1, LINES_LIMIT)),
    ]
    assert "Остальное (2 поз.): 15 ₽" in text


def test_a_refund_and_an_end_are_told(post: Post) -> None:
    paid = post.shop.pay()
    post.hear()
    post.send()
    post.mailbox.clear()
    assert post.shop.tell(post.shop.refunded(new_id(), paid)) == ["applied"]
    assert post.shop.tell(post.shop.cancel(paid.subscription_id, None)) == ["applied"]  # type: ignore[arg-type]
    assert post.hear() == 2
    post.send()
    assert [message["subject"] for message in post.mailbox.messages()] == [
        "Вернули вам 1 490 ₽",
        "Подписка «Месяц» закончилась",
    ]
    assert "•••• 1111" in post.mailbox.messages()[0]["text"]


def test_a_subscription_that_never_began_ends_without_a_letter(post: Post) -> None:
    subscription_id, invoice_id = post.shop.subscribe()
    post.shop.tell(post.shop.cancel(subscription_id, invoice_id))
    post.hear()
    post.wait(minutes=3)
    post.send()
    assert post.states() == {"invoice_issued": "invoice_void", "subscription_ended": "never_began"}
    assert post.mailbox.messages() == []


def test_a_failed_payment_is_told_unless_it_was_paid_meanwhile(post: Post) -> None:
    subscription_id, invoice_id, attempt_id = post.shop.offer("link")
    post.shop.tell(post.shop.outcome("declined", attempt_id, invoice_id, subscription_id))
    post.hear()
    post.send()
    (message,) = post.mailbox.messages()
    assert "деньги не списаны" in message["subject"]
    second = new_id()
    post.shop.tell(
        post.shop.start(second, invoice_id, "link"),
        post.shop.outcome("declined", second, invoice_id, subscription_id),
        post.shop.paid(second, invoice_id, subscription_id),
    )
    post.hear()
    post.send()
    states = post.shop.rows(
        "SELECT state, problem FROM notification WHERE kind = 'payment_failed' ORDER BY planned_at"
    )
    assert states == [("sent", None), ("superseded", "payment_succeeded")]


def test_nobody_is_billed_while_their_payment_is_processed(post: Post) -> None:
    subscription_id, invoice_id, attempt_id = post.shop.offer("link")
    post.hear()
    post.shop.tell(post.shop.outcome("pending", attempt_id, invoice_id, subscription_id))
    post.wait(minutes=3)
    post.send()
    assert post.states() == {"invoice_issued": "planned"}
    post.shop.tell(post.shop.paid(attempt_id, invoice_id, subscription_id))
    post.wait(minutes=6)
    post.send()
    assert post.states() == {"invoice_issued": "invoice_paid"}
    assert post.mailbox.messages() == []


# ---------------------------------------------------------------- reminders


def test_a_reminder_planned_twice_is_one_letter(post: Post) -> None:
    subscription_id = post.shop.pay().subscription_id
    assert [post.remind(subscription_id) for _ in range(2)] == [1, 0]
    post.send()
    post.send()
    (message,) = post.mailbox.messages()
    assert "1\u00a0490\u00a0₽" in message["text"]
    assert post.remind(subscription_id, days_before=1) == 1
    post.send()
    assert len(post.mailbox.messages()) == 2


def test_a_reminder_pays_the_renewal_and_replaces_its_bill(post: Post) -> None:
    subscription_id = post.shop.pay().subscription_id
    assert subscription_id is not None
    period_end = post.shop.one(
        "SELECT current_period_end FROM subscription WHERE id = :id", id=subscription_id
    )
    renewal = post.shop.renew(subscription_id, period_end)
    assert post.shop.tell(renewal) == ["applied"]
    post.hear()
    post.remind(subscription_id)
    post.wait(minutes=3)
    post.send()
    rows = post.shop.rows(
        "SELECT kind, problem FROM notification WHERE subject_id = :id", id=renewal.invoice_id
    )
    assert rows == [("invoice_issued", "told_by_reminder")]
    (reminder,) = (each for each in post.mailbox.messages() if "следующий период" in each["subject"])
    tokens = re.findall(r"/links/(\S+)", reminder["text"])
    links = [read_link(LINK_KEY, token, post.now()) for token in tokens]
    assert [(link.purpose, link.subject_id) for link in links] == [
        ("pay", renewal.invoice_id),
        ("cancel", subscription_id),
    ]


@pytest.mark.parametrize("names_invoice", [True, False])
def test_a_reminder_that_led_to_the_invoice_already_makes_its_bill_needless(
    post: Post, names_invoice: bool
) -> None:
    """The events process may be behind cron; a reminder from before the invoice does not count."""
    subscription_id = post.shop.pay().subscription_id
    assert subscription_id is not None
    period_end = post.shop.one(
        "SELECT current_period_end FROM subscription WHERE id = :id", id=subscription_id
    )
    renewal = post.shop.renew(subscription_id, period_end)
    assert post.shop.tell(renewal) == ["applied"]
    post.remind(subscription_id, invoice_id=renewal.invoice_id if names_invoice else None)
    post.send()
    post.hear()
    post.wait(minutes=3)
    post.send()
    bill = "SELECT state, problem FROM notification WHERE subject_id = :id"
    if names_invoice:
        assert post.shop.rows(bill, id=renewal.invoice_id) == [("superseded", "told_by_reminder")]
        return
    assert post.shop.rows(bill, id=renewal.invoice_id) == [("planned", None)]
    post.wait(minutes=30)
    post.send()
    assert post.shop.rows(bill, id=renewal.invoice_id) == [("sent", None)]


def test_whoever_cancels_is_not_asked_to_renew(post: Post) -> None:
    subscription_id = post.shop.pay().subscription_id
    assert subscription_id is not None
    post.remind(subscription_id)
    post.shop.tell(post.shop.cancel(subscription_id, None, at_period_end=True))
    post.hear()
    post.remind(subscription_id, "period_end")
    post.wait(minutes=3)
    post.send()
    states = post.states()
    assert states["renewal"] == "subscription_ending"
    assert (states["subscription_ended"], states["period_end"]) == ("sent", "sent")
    subjects = [message["subject"] for message in post.mailbox.messages()]
    assert "Подписка «Месяц» не продлится" in subjects
    assert not any("следующий период" in subject for subject in subjects)


def test_a_renewal_that_is_paid_is_not_reminded_of(post: Post) -> None:
    subscription_id = post.shop.pay().subscription_id
    assert subscription_id is not None
    post.remind(subscription_id)
    period_end = post.shop.one(
        "SELECT current_period_end FROM subscription WHERE id = :id", id=subscription_id
    )
    renewal, attempt_id = post.shop.renew(subscription_id, period_end), new_id()
    assert (
        post.shop.tell(
            renewal,
            post.shop.start(attempt_id, renewal.invoice_id),
            post.shop.paid(attempt_id, renewal.invoice_id, subscription_id),
        )
        == ["applied"] * 3
    )
    post.send()
    assert post.states() == {"renewal": "period_moved"}


def test_of_two_reminders_that_wait_the_later_one_is_sent(post: Post) -> None:
    subscription_id = post.shop.pay().subscription_id
    post.remind(subscription_id, days_before=2)
    post.remind(subscription_id, days_before=1)
    post.send()
    assert len(post.mailbox.messages()) == 1
    problems = post.shop.rows("SELECT problem FROM notification ORDER BY planned_at")
    assert problems == [("told_again_since",), (None,)]


# ---------------------------------------------------------------- bad days


def test_an_hour_without_a_server_costs_time_and_nothing_else(post: Post) -> None:
    notifications = planned(post, 3)
    post.mailbox.fault(DOWN)
    for _ in range(60):
        post.send()
        post.wait(minutes=1)
    assert post.mailbox.messages() == []
    # At once, and after 1, 6 and 21 minutes.
    assert all(row(post, each) == ("planned", 4, "mail_away") for each in notifications)
    post.mailbox.fault()
    for _ in range(60):
        post.send()
        post.wait(minutes=1)
    assert sorted(message["message_id"] for message in post.mailbox.messages()) == sorted(
        f"<{each}@example.org>" for each in notifications
    )
    assert all(row(post, each)[0] == "sent" for each in notifications)


def test_a_server_that_is_not_there_is_no_error_of_the_task(post: Post) -> None:
    (notification,) = planned(post)
    post.settings = {"smtp_port": 1}
    assert post.send() == 1
    assert row(post, notification) == ("planned", 1, "mail_away")


def test_a_refused_recipient_is_given_up_and_told_to_the_house(post: Post) -> None:
    post.mailbox.fault({"kind": "refuse", "times": 100})
    (notification,) = planned(post)
    post.send()
    assert row(post, notification) == ("failed", 1, "smtp_550")
    body = post.shop.one("SELECT body FROM outbox WHERE kind = 'notification.failed'")
    assert (body["notification_id"], body["code"]) == (str(notification), "smtp_550")
    assert post.address() not in str(body)
    post.wait(hours=2)
    assert post.send() == 0


def test_one_refused_recipient_holds_up_nobody_else(post: Post) -> None:
    post.mailbox.fault({"kind": "refuse"})
    notifications = planned(post, 3)
    post.send()
    states = sorted(str(row(post, each)[0]) for each in notifications)
    assert states == ["failed", "sent", "sent"]
    assert len(post.mailbox.messages()) == 2


@pytest.mark.parametrize("kind", ["defer", "reject"])
def test_not_now_is_not_never(post: Post, kind: str) -> None:
    post.mailbox.fault({"kind": kind})
    (notification,) = planned(post)
    post.send()
    assert row(post, notification)[:2] == ("planned", 1)
    assert post.send() == 0
    post.wait(seconds=61)
    post.send()
    assert row(post, notification) == ("sent", 2, None)
    assert len(post.mailbox.messages()) == 1


def test_a_server_that_does_not_answer_is_left_alone(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(email, "ANSWER_TIMEOUT_SECONDS", 0.3)
    post.mailbox.fault({"kind": "slow", "milliseconds": 2_000})
    notifications = planned(post, 2)
    post.send()
    assert [row(post, each) for each in notifications] == [("planned", 1, "mail_away")] * 2
    post.wait(minutes=2)
    post.send()
    assert len(post.mailbox.messages()) == 2


def test_a_server_that_drips_is_cut_off(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(email, "CONNECTION_LIMIT_SECONDS", 0.3)
    post.mailbox.fault({"kind": "slow", "milliseconds": 5_000})
    (notification,) = planned(post)
    post.send()
    assert row(post, notification) == ("planned", 1, "mail_away")


@pytest.mark.parametrize("greeting", [b"2", b"220-wait\r\n"])
def test_a_server_that_drips_its_greeting_is_cut_off(
    post: Post, monkeypatch: pytest.MonkeyPatch, greeting: bytes
) -> None:
    monkeypatch.setattr(email, "CONNECTION_LIMIT_SECONDS", 0.5)
    (notification,) = planned(post)
    with dripping_server(greeting) as port:
        post.settings["smtp_port"] = port
        began = time.monotonic()
        post.send()
    assert time.monotonic() - began < DRIP_SECONDS
    assert row(post, notification) == ("planned", 1, "mail_away")


def test_a_claim_outlasts_whatever_its_page_may_take() -> None:
    assert sending.CLAIM_SECONDS > sending.PAGE_SECONDS + email.CONNECTION_LIMIT_SECONDS


def test_an_answer_that_was_lost_is_sent_again_under_the_same_name(post: Post) -> None:
    post.mailbox.fault({"kind": "cut"})
    (notification,) = planned(post)
    post.send()
    assert row(post, notification)[0] == "planned"
    post.wait(minutes=2)
    post.send()
    assert [message["message_id"] for message in post.mailbox.messages()] == [
        f"<{notification}@example.org>"
    ] * 2


def test_killed_between_sending_and_marking_it_repeats_under_the_same_name(post: Post) -> None:
    (notification,) = planned(post)
    environment = {"PATH": os.environ["PATH"], "CRASH_AT": "after_notification_send:1"}
    killed = subprocess.run(
        [
            *(sys.executable, "-m", "tests.integration.notifications.sending_process"),
            *(post.shop.url, str(post.mailbox.smtp_port), LINK_KEY, MAIL_FROM),
        ],
        cwd=ROOT,
        env=environment,
        timeout=60,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    assert len(post.mailbox.messages()) == 1
    # Its claim is still running: nobody else may send it.
    assert post.send() == 0
    post.wait(seconds=sending.CLAIM_SECONDS + 1)
    post.send()
    assert row(post, notification)[0] == "sent"
    first, second = post.mailbox.messages()
    assert first["message_id"] == second["message_id"] == f"<{notification}@example.org>"
    assert (first["subject"], first["text"]) == (second["subject"], second["text"])


def test_two_workers_at_once_send_each_letter_once(post: Post) -> None:
    notifications = planned(post, 25)
    office, together = post.office(), threading.Barrier(2)

    def work() -> None:
        together.wait()
        sending.send_due(office)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert sorted(message["message_id"] for message in post.mailbox.messages()) == sorted(
        f"<{each}@example.org>" for each in notifications
    )


def test_old_news_is_not_sent(post: Post) -> None:
    """What never had a way out is superseded; what was tried in vain is a failure."""
    (waited,) = planned(post)
    post.settings = {"smtp_host": None}
    assert post.send() == 0
    assert row(post, waited)[0] == "planned"
    post.settings = {}
    post.mailbox.fault(DOWN)
    (tried,) = planned(post)
    with post.shop.owner.begin():
        post.shop.rows(
            "UPDATE notification SET due_at = due_at + interval '1 year' WHERE id = :id", id=waited
        )
    post.send()
    post.shop.rows("UPDATE notification SET due_at = planned_at WHERE id = :id", id=waited)
    post.mailbox.fault()
    post.wait(hours=73)
    post.settings = {"smtp_host": None}
    post.send()
    assert row(post, waited) == ("superseded", 0, "too_old")
    assert row(post, tried) == ("failed", 1, "too_late")
    assert post.mailbox.messages() == []


def test_an_address_that_cannot_be_written_to_fails_alone(post: Post) -> None:
    good, post.shop.customer_id = planned(post), post.shop.add_customer()
    bad = planned(post)
    post.shop.rows(
        "UPDATE customer SET email = 'no address', name = E'Anna\\r\\nBcc: x@example.org' WHERE id = :id",
        id=post.shop.customer_id,
    )
    post.send()
    assert row(post, bad[0]) == ("failed", 1, "address_malformed")
    assert row(post, good[0])[0] == "sent"


@pytest.mark.parametrize(
    ("kind", "occasion"),
    [("payment_succeeded", "succeeded"), ("subscription_started", "started"), ("refund", "succeeded")],
)
@pytest.mark.parametrize("whose", ["studio", "customer"])
def test_nobody_is_written_about_what_is_not_theirs(post: Post, kind: str, occasion: str, whose: str) -> None:
    owner = post.shop
    if whose == "studio":
        owner = Shop(post.shop.url)
        owner.set_up()
    paid, refund_id = owner.pay(), new_id()
    assert owner.tell(owner.refunded(refund_id, paid)) == ["applied"]
    if owner is not post.shop:
        owner.close()
    subjects = {"payment_succeeded": paid.attempt_id, "refund": refund_id}
    (notification,) = planned(
        post,
        kind=kind,
        occasion=occasion,
        subject_id=subjects.get(kind, paid.subscription_id),
        customer_id=post.shop.add_customer(),
    )
    post.send()
    assert row(post, notification) == ("superseded", 0, "subject_is_gone")
    assert post.mailbox.messages() == []


def test_a_kind_that_this_worker_does_not_know_waits_for_one_that_does(post: Post) -> None:
    """During an update the planner may be newer."""
    odd, good = planned(post, kind="of_tomorrow"), planned(post)
    post.send()
    assert row(post, odd[0]) == ("planned", 1, "broken_KeyError")
    assert row(post, good[0])[0] == "sent"


def test_logs_say_what_became_of_a_message_and_not_whose_it_is(
    post: Post, capsys: pytest.CaptureFixture[str]
) -> None:
    configure("test")
    planned(post)
    post.mailbox.fault({"kind": "refuse"})
    post.send()
    planned(post)
    post.send()
    written = capsys.readouterr().out
    assert '"result":"sent"' in written
    assert '"result":"failed"' in written
    for secret in (post.address(), "@studio.example", "Anna", LINK_KEY, "/links/"):
        assert secret not in written


def test_a_short_message_goes_to_its_own_port(post: Post, capsys: pytest.CaptureFixture[str]) -> None:
    configure("test")
    (notification,) = planned(post, channel="sms")
    post.send()
    assert row(post, notification)[0] == "planned"
    post.sms = ConsoleSms()
    post.send()
    assert row(post, notification)[0] == "sent"
    assert '"segments":1' in capsys.readouterr().out
    assert post.mailbox.messages() == []


def worker_environment(post: Post, folder: Path, **changes: str) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "DATABASE_URL": post.shop.url,
        "SEALING_KEY": SEALING_KEY,
        "CELERY_FOLDER": str(folder),
        "SMTP_HOST": "127.0.0.1",
        "SMTP_PORT": str(post.mailbox.smtp_port),
        "SMTP_SECURITY": "none",
        "MAIL_FROM": MAIL_FROM,
        "LINK_KEY": LINK_KEY,
        "NOTIFY_EVERY_SECONDS": "0.5",
    } | changes


def test_a_real_worker_sends_what_beat_asks_for(post: Post, tmp_path: Path) -> None:
    (notification,) = planned(post)
    environment = worker_environment(post, tmp_path)
    roles = ("worker", "beat")
    processes = [
        subprocess.Popen([sys.executable, "-m", "state_updater.tasks", role], cwd=ROOT, env=environment)
        for role in roles
    ]
    try:
        until(lambda: row(post, notification)[0] == "sent", "the letter is sent")
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(timeout=30)
    assert len(post.mailbox.messages()) == 1


def test_a_worker_with_a_mail_server_and_no_link_key_does_not_start(post: Post, tmp_path: Path) -> None:
    environment = worker_environment(post, tmp_path)
    del environment["LINK_KEY"]
    worker = subprocess.run(
        [sys.executable, "-m", "state_updater.tasks", "worker"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert worker.returncode == 1
    assert worker.stderr.strip() == "billbus: LINK_KEY must be set where SMTP_HOST is"
