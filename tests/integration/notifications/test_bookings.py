"""Letters about bookings against a real SMTP server: what was booked, what it costs, what goes back; and of
what is planned ahead only what is still so."""

import re
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from bus.messages import Command
from kit.ids import new_id
from notifications.links import read_link
from tests.integration.notifications.mailboxes import LINK_KEY, MAIL_FROM, Post
from tests.integration.state_updater.stages import TOTAL_MINOR, Stage

AHEAD = ("booking_reminder", "booking_rating")
DAY = 24


@pytest.fixture
def stage(post: Post) -> Stage:
    assert isinstance(post.shop, Stage)
    post.shop.rows("UPDATE hall SET name = 'Большой зал'")
    return post.shop


def tell(stage: Stage, *commands: Command) -> None:
    assert stage.tell(*commands) == ["applied"] * len(commands)


def check_out(stage: Stage, booking_id: UUID, **changes: Any) -> UUID:
    invoice_id = new_id()
    tell(stage, stage.check_out(booking_id, invoice_id, **changes))
    return invoice_id


def pending(stage: Stage) -> tuple[UUID, UUID, UUID]:
    """(booking, invoice, attempt), whose money may be moving."""
    booking_id, invoice_id, attempt_id = stage.awaiting()
    tell(stage, stage.outcome("pending", attempt_id, invoice_id))
    return booking_id, invoice_id, attempt_id


def let_expire(stage: Stage, booking_id: UUID) -> None:
    """After the longest wait for its money."""
    stage.pass_deadline(booking_id, minutes=16)
    tell(stage, stage.expire_hold(booking_id))


def post_all(post: Post, **later: float) -> list[dict[str, Any]]:
    """Hears of what happened, lets time pass and sends; what came."""
    post.mailbox.clear()
    post.hear()
    post.wait(**later)
    post.send()
    return post.mailbox.messages()


def subjects(messages: list[dict[str, Any]]) -> list[str]:
    return [message["subject"].partition(":")[0] for message in messages]


def text_of(messages: list[dict[str, Any]], begin: str) -> str:
    (found,) = (message["text"] for message in messages if message["subject"].startswith(begin))
    return str(found).replace("\u00a0", " ")


def wait_until(post: Post, at: datetime) -> None:
    post.wait(seconds=(at - post.now()).total_seconds())


def planned_ahead(post: Post) -> list[tuple[str, str, str | None]]:
    rows = post.shop.rows(
        "SELECT kind, state, problem FROM notification WHERE kind = ANY(:kinds)"
        " ORDER BY kind DESC, planned_at",
        kinds=list(AHEAD),
    )
    return [(kind, state, problem) for kind, state, problem in rows]


def links_of(post: Post, text: str) -> dict[str, UUID]:
    links = [read_link(LINK_KEY, token, post.now()) for token in re.findall(r"/links/(\S+)", text)]
    return {link.purpose: link.subject_id for link in links}


# ---------------------------------------------------------------- held


def test_who_pays_on_the_page_reads_that_it_is_booked_and_has_a_receipt(post: Post, stage: Stage) -> None:
    light = stage.add_extra(stock=None)
    booking_id, _ = stage.confirmed(stage.offer_of(extras={light: 2}))
    messages = post_all(post, minutes=3)
    assert sorted(subjects(messages)) == ["Забронировано", "Получили ваш платёж"]
    text = text_of(messages, "Забронировано")
    for words in ("Большой зал", "15:00–17:00", "Гостей: 4", "× 2", "Оплачено: 1 500 ₽", "вернём все"):
        assert words in text
    assert links_of(post, text) == {"cancel_booking": booking_id}
    assert "Большой зал" in text_of(messages, "Получили")
    states = post.states()
    assert states["booking_created"] == "booking_confirmed"
    assert states["invoice_issued"] == "told_with_booking"


def test_who_has_not_paid_after_two_minutes_reads_until_when(post: Post, stage: Stage) -> None:
    booking_id = stage.held()
    invoice_id = check_out(stage, booking_id)
    (message,) = post_all(post, minutes=3)
    assert message["subject"].startswith("Оплатите до ")
    assert links_of(post, message["text"]) == {"pay": invoice_id, "cancel_booking": booking_id}
    assert post.states() == {"booking_created": "sent", "invoice_issued": "told_with_booking"}


def test_who_is_choosing_how_to_pay_is_left_alone_and_staffs_choice_is_told(post: Post, stage: Stage) -> None:
    stage.held()
    assert post_all(post, minutes=3) == []
    stage.held(stage.offer_of(20), origin="staff")
    (message,) = post_all(post, minutes=3)
    assert message["subject"].startswith("Держим для вас «Большой зал»")


def test_nobody_is_asked_to_pay_what_a_provider_was_allowed_to_take(post: Post, stage: Stage) -> None:
    _, invoice_id, attempt_id = stage.awaiting()
    stage.admit(invoice_id, attempt_id)
    assert post_all(post, minutes=3) == []
    assert post.states()["booking_created"] == "planned"
    post.wait(minutes=5)
    post.send()
    assert len(post.mailbox.messages()) == 1


def test_what_is_paid_on_site_says_so(post: Post, stage: Stage) -> None:
    check_out(stage, stage.held(origin="staff"), payment="on_site", origin="staff")
    (message,) = post_all(post, minutes=3)
    text = message["text"].replace("\u00a0", " ")
    assert "К оплате на месте: 1 500 ₽" in text
    assert "вернём" not in text


# ---------------------------------------------------------------- lost


def test_a_hold_that_expired_is_told_once_its_money_can_no_longer_come(post: Post, stage: Stage) -> None:
    booking_id, invoice_id, attempt_id = pending(stage)
    let_expire(stage, booking_id)
    assert post_all(post, minutes=3) == []
    assert post.states()["booking_expired"] == "planned"
    tell(stage, stage.outcome("declined", attempt_id, invoice_id))
    assert subjects(post_all(post, minutes=6)) == ["Время на оплату вышло"]


def test_who_booked_that_time_again_is_not_told_that_it_was_lost(post: Post, stage: Stage) -> None:
    let_expire(stage, stage.held())
    stage.confirmed()
    assert "Время на оплату вышло" not in subjects(post_all(post))
    assert post.states()["booking_expired"] == "booked_again"


def test_late_money_that_finds_the_time_free_confirms_and_says_nothing_else(post: Post, stage: Stage) -> None:
    booking_id, invoice_id, attempt_id = pending(stage)
    let_expire(stage, booking_id)
    tell(stage, stage.paid_for(attempt_id, invoice_id))
    messages = post_all(post)
    assert sorted(subjects(messages)) == ["Забронировано", "Получили ваш платёж"]
    assert "снова ваше" in text_of(messages, "Забронировано")
    number = stage.one("SELECT number FROM invoice WHERE booking_id = :id AND state = 'paid'", id=booking_id)
    assert f"счёт {number} оплачен" in text_of(messages, "Получили")
    assert post.states()["booking_expired"] == "booking_confirmed"


@pytest.mark.parametrize(
    ("policy", "words"),
    [("refund", "Возвращаем деньги"), ("staff", "Мы видим этот платёж и разберёмся")],
    ids=["refund", "staff"],
)
def test_late_money_that_came_for_nothing_is_told_with_what_becomes_of_it(
    post: Post, stage: Stage, policy: str, words: str
) -> None:
    stage.set_studio(late_money=policy)
    booking_id, invoice_id, attempt_id = pending(stage)
    let_expire(stage, booking_id)
    stage.confirmed(customer_id=stage.add_customer())
    tell(stage, stage.paid_for(attempt_id, invoice_id))
    mine = [message for message in post_all(post) if message["to"] == post.address()]
    assert sorted(subjects(mine)) == ["Время на оплату вышло", "Платёж пришёл поздно"]
    assert words in text_of(mine, "Платёж пришёл поздно")
    told = stage.rows("SELECT problem FROM notification WHERE subject_id = :id", id=attempt_id)
    assert told == [("told_with_booking",)]


def test_unapplied_money_of_other_invoices_is_told_by_its_receipt_alone(post: Post, stage: Stage) -> None:
    subscription_id, invoice_id, attempt_id = stage.offer()
    tell(stage, stage.void(invoice_id, subscription_id))
    tell(stage, stage.paid(attempt_id, invoice_id, subscription_id))
    assert subjects(post_all(post, minutes=3)) == ["Получили ваш платёж"]
    assert post.states()["booking_money_late"] == "not_of_a_booking"


# ---------------------------------------------------------------- canceled and moved


def test_a_canceled_booking_says_what_goes_back_and_what_does_not(post: Post, stage: Stage) -> None:
    booking_id, _ = stage.confirmed()
    post_all(post)
    tell(stage, stage.let_go(booking_id, origin="staff", refund_percent=50))
    (message,) = post_all(post)
    text = message["text"].replace("\u00a0", " ")
    assert "Возвращаем: 750 ₽" in text
    assert "Остаётся у нас: 750 ₽" in text


def test_a_hold_that_is_given_up_costs_nothing(post: Post, stage: Stage) -> None:
    booking_id, _, _ = stage.awaiting()
    tell(stage, stage.let_go(booking_id))
    (message,) = post_all(post, minutes=3)
    assert "Платить ничего не нужно" in message["text"]
    assert post.states()["booking_created"] == "booking_canceled"


@pytest.mark.parametrize(
    ("more_minor", "words"),
    [(0, "Теперь за вами"), (50_000, "Доплатить: 500 ₽"), (-49_000, "возвращаем 490 ₽")],
)
def test_a_moved_booking_says_where_it_is_and_what_the_difference_is(
    post: Post, stage: Stage, more_minor: int, words: str
) -> None:
    booking_id, _ = stage.confirmed()
    post_all(post)
    invoice_id = new_id()
    offer = stage.offer_of(DAY + 15, total_minor=TOTAL_MINOR + more_minor)
    tell(stage, stage.move(booking_id, offer, invoice_id))
    (message,) = post_all(post, minutes=3)
    text = message["text"].replace("\u00a0", " ")
    assert words in text
    assert "18:00–20:00" in text
    assert links_of(post, text).get("pay") == (invoice_id if more_minor > 0 else None)


def test_of_a_time_that_is_not_any_more_no_letter_tells(post: Post, stage: Stage) -> None:
    """It was booked and moved twice before anything was heard of it."""
    booking_id, _ = stage.confirmed()
    for starts in (15, 20):
        tell(stage, stage.move(booking_id, stage.offer_of(starts)))
    messages = post_all(post, minutes=3)
    assert sorted(subjects(messages)) == ["Бронирование изменено", "Получили ваш платёж"]
    assert "23:00 – " in text_of(messages, "Бронирование изменено")
    problems = stage.rows(
        "SELECT kind, problem FROM notification WHERE kind LIKE 'booking%' AND state = 'superseded'"
        " ORDER BY kind, planned_at"
    )
    assert problems == [
        ("booking_confirmed", "rescheduled"),
        ("booking_created", "booking_confirmed"),
        ("booking_rescheduled", "told_again_since"),
    ]


# ---------------------------------------------------------------- planned ahead


def test_a_visit_is_reminded_of_a_day_before_and_asked_about_after(post: Post, stage: Stage) -> None:
    booking_id, _ = stage.confirmed()
    post_all(post)
    assert planned_ahead(post) == [(kind, "planned", None) for kind in AHEAD]
    reminder_at, rating_at = stage.at(12 - DAY), stage.at(14 + 2)
    due = stage.rows(
        "SELECT due_at FROM notification WHERE kind = ANY(:kinds) ORDER BY due_at", kinds=list(AHEAD)
    )
    assert due == [(reminder_at,), (rating_at,)]
    wait_until(post, reminder_at - timedelta(minutes=1))
    assert post_all(post) == []
    assert subjects(post_all(post, minutes=2)) == ["Ждём вас"]
    stage.set_clock(stage.at(12.5))
    tell(stage, stage.complete(booking_id, origin="staff"))
    stage.rows("DELETE FROM clock_offset")
    wait_until(post, rating_at + timedelta(minutes=1))
    (message,) = post_all(post)
    assert message["subject"].startswith("Как всё прошло?")
    assert dict(message["headers"])["Reply-To"] == f"Studio <{MAIL_FROM}>"


def test_answers_come_to_the_studios_own_address_where_there_is_one(post: Post, stage: Stage) -> None:
    stage.confirmed()
    post_all(post)
    post.settings = {"mail_reply_to": "hello@{host}"}
    wait_until(post, stage.at(14 + 3))
    (message,) = post_all(post)
    assert dict(message["headers"])["Reply-To"] == f"Studio <hello@{stage.studio_id}.example>"
    assert post.states()["booking_reminder"] == "booking_over"


def test_with_less_than_a_day_left_nothing_is_reminded_of(post: Post, stage: Stage) -> None:
    stage.set_clock(stage.at(12 - 23))
    stage.confirmed()
    post_all(post)
    assert [kind for kind, _, _ in planned_ahead(post)] == ["booking_rating"]


def test_what_was_planned_for_the_old_time_is_withdrawn_and_planned_anew(post: Post, stage: Stage) -> None:
    booking_id, _ = stage.confirmed()
    post_all(post)
    withdrawn, planned = ("superseded", "rescheduled"), ("planned", None)
    tell(stage, stage.move(booking_id, stage.offer_of(3 * DAY)))
    post_all(post)
    assert planned_ahead(post) == [(kind, *state) for kind in AHEAD for state in (withdrawn, planned)]
    tell(stage, stage.move(booking_id, stage.offer_of()))
    post_all(post)
    back_again = (withdrawn, withdrawn, planned)
    assert planned_ahead(post) == [(kind, *state) for kind in AHEAD for state in back_again]
    wait_until(post, stage.at(12 - 23))
    assert subjects(post_all(post)) == ["Ждём вас"]


def test_what_is_heard_again_plans_and_withdraws_nothing(post: Post, stage: Stage) -> None:
    booking_id, _ = stage.confirmed()
    tell(stage, stage.move(booking_id, stage.offer_of(3 * DAY)))
    post.hear()
    before = planned_ahead(post)
    assert sorted(state for _, state, _ in before) == ["planned", "planned"]
    assert post.hear() == 0
    assert planned_ahead(post) == before


def test_of_a_canceled_visit_nothing_is_left(post: Post, stage: Stage) -> None:
    booking_id, _ = stage.confirmed()
    post_all(post)
    tell(stage, stage.let_go(booking_id))
    post_all(post)
    assert planned_ahead(post) == [(kind, "superseded", "cancelled") for kind in AHEAD]


def test_who_did_not_come_is_not_asked_how_it_was(post: Post, stage: Stage) -> None:
    booking_id, _ = stage.confirmed()
    post_all(post)
    stage.set_clock(stage.at(12.5))
    tell(stage, stage.no_show(booking_id))
    post.hear()
    assert ("booking_rating", "superseded", "no_show") in planned_ahead(post)


def test_a_race_that_was_lost_sends_nothing_false(post: Post, stage: Stage) -> None:
    """The booking is let go, and nobody has heard of it when the reminder is due."""
    booking_id, _ = stage.confirmed()
    post_all(post)
    tell(stage, stage.let_go(booking_id))
    post.mailbox.clear()
    wait_until(post, stage.at(12 - 23))
    post.send()
    assert post.mailbox.messages() == []
    assert ("booking_reminder", "superseded", "booking_canceled") in planned_ahead(post)


def test_a_studio_that_lives_at_another_time_is_reminded_in_the_worlds(post: Post, stage: Stage) -> None:
    ahead = timedelta(days=10)
    stage.set_clock(post.now() + ahead)
    stage.confirmed()
    post.hear()
    ((due_at,),) = stage.rows("SELECT due_at FROM notification WHERE kind = 'booking_reminder'")
    assert abs(due_at - (stage.at(12 - DAY) - ahead)) < timedelta(seconds=2)


def test_a_reminder_is_not_too_old_because_it_was_planned_weeks_ago(post: Post, stage: Stage) -> None:
    stage.confirmed()
    post_all(post)
    wait_until(post, stage.at(12 - DAY) + timedelta(minutes=1))
    post.settings = {"smtp_host": None}
    post.send()
    assert post.states()["booking_reminder"] == "planned"
    post.settings = {}
    assert subjects(post_all(post)) == ["Ждём вас"]
