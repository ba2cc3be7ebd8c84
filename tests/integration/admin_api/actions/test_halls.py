"""Halls, what they cost, extras and booking terms: written at once, each with its row in the audit."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from tests.integration.admin_api.actions.bookings import HALL, PER_HOUR_MINOR, open_hall, today
from tests.integration.admin_api.actions.clerk import Clerk
from web.problems import Problem

EVENING = {
    "name": "Evening",
    "weekdays": [5, 6],
    "starts": "18:00",
    "ends": "24:00",
    "per_hour_minor": 300_000,
}


def day(ahead: int) -> str:
    return (today() + timedelta(days=ahead)).date().isoformat()


def fault_of(problem: Problem) -> tuple[str, str]:
    ((fault),) = problem.facts["errors"]  # type: ignore[misc]
    return fault["at"], fault["fault"]


def test_hall_is_made_once_and_its_name_is_taken_then(manager: Clerk) -> None:
    done = manager.press("create_hall", key="once", **HALL)
    assert manager.press("create_hall", key="once", **HALL) == done
    assert manager.audits(done.subject_id) == ["create_hall"]
    with pytest.raises(Problem) as taken:
        manager.press("create_hall", **HALL)
    assert (taken.value.status, taken.value.code) == (409, "hall_name_taken")
    other_id = manager.press("create_hall", **HALL | {"name": "Red"}).subject_id
    with pytest.raises(Problem) as taken:
        manager.press("change_hall", other_id, name="Blue")
    assert taken.value.code == "hall_name_taken"


def test_hall_keeps_what_was_not_given_and_the_audit_says_what_changed(manager: Clerk) -> None:
    hall_id = manager.press("create_hall", **HALL).subject_id
    manager.press("change_hall", hall_id, is_active=False, equipment=["Drums", "Piano"])
    assert manager.shop.rows(
        "SELECT name, capacity, is_active, equipment FROM hall WHERE id = :id", id=hall_id
    ) == [("Blue", 8, False, ["Drums", "Piano"])]
    ((before, after),) = manager.shop.rows(
        "SELECT before, after FROM audit WHERE subject_id = :id AND action = 'change_hall'", id=hall_id
    )
    assert before == {"is_active": True, "equipment": []}
    assert after == {"is_active": False, "equipment": ["Drums", "Piano"]}


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"step_minutes": 7}, ("body.step_minutes", "not_a_step")),
        ({"step_minutes": 30, "minutes_min": 45}, ("body.minutes_min", "off_step")),
        ({"step_minutes": 60, "minutes_max": 90}, ("body.minutes_max", "off_step")),
        ({"minutes_min": 240, "minutes_max": 120}, ("body.minutes_max", "less_than_shortest")),
    ],
)
def test_lengths_that_do_not_fit_each_other_are_faults_of_their_fields(
    manager: Clerk, changes: dict[str, Any], fault: tuple[str, str]
) -> None:
    hall_id = manager.press("create_hall", **HALL).subject_id
    for name, subject_id, fields in (
        ("create_hall", None, HALL | {"name": "Red"} | changes),
        ("change_hall", hall_id, changes),
    ):
        with pytest.raises(Problem) as wrong:
            manager.press(name, subject_id, **fields)
        assert (wrong.value.status, fault_of(wrong.value)) == (422, fault)


def test_hours_are_set_as_a_whole_by_weekday_and_season(manager: Clerk) -> None:
    hall_id = manager.press("create_hall", **HALL).subject_id
    hours = [
        {"weekdays": [1, 2, 3, 4, 5], "opens": "10:00", "closes": "22:00"},
        {
            "weekdays": [6, 7],
            "opens": "10:00",
            "closes": "24:00",
            "from": "2026-06-01",
            "until": "2026-08-31",
        },
    ]
    manager.press("set_hours", hall_id, hours=hours)
    assert manager.shop.one("SELECT hours FROM hall WHERE id = :id", id=hall_id) == hours


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({"weekdays": [0], "opens": "10:00", "closes": "22:00"}, "hours[0].weekdays"),
        ({"weekdays": [1], "opens": "25:00", "closes": "22:00"}, "hours[0].opens"),
        ({"weekdays": [1], "opens": "10:00", "closes": "09:00"}, "hours[0].closes"),
        ({"weekdays": [1], "opens": "10:00", "closes": "22:00", "form": "2026-01-01"}, "hours[0].form"),
    ],
)
def test_rule_that_means_nothing_is_named_in_its_fields_fault(
    manager: Clerk, rule: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValidationError) as wrong:
        manager.press("create_hall", **HALL | {"hours": [rule]})
    ((error),) = wrong.value.errors()
    assert error["loc"] == ("hours",)
    assert error["type"].startswith(words)


def test_tariff_is_a_new_version_from_a_day_on_and_the_old_row_stays(manager: Clerk) -> None:
    shop, hall_id = manager.shop, open_hall(manager)
    before = shop.rows("SELECT * FROM tariff WHERE hall_id = :id", id=hall_id)
    wanted = {"per_hour_minor": 250_000, "rates": [EVENING], "effective_from": day(10)}
    begins, keeps = manager.foresee("set_tariff", hall_id, **wanted).lines
    assert (begins.code, keeps.code) == ("tariff.begins", "tariff.keeps_promises")
    assert (begins.facts["hall"], begins.facts["version"], begins.facts["date"]) == ("Blue", 2, day(10))
    manager.press("set_tariff", hall_id, key="once", **wanted)
    manager.press("set_tariff", hall_id, key="once", **wanted)
    after = shop.rows("SELECT * FROM tariff WHERE hall_id = :id ORDER BY version", id=hall_id)
    assert after[:1] == before
    assert len(after) == 2
    assert shop.rows(
        "SELECT per_hour_minor, rates, people_included, currency, effective_from FROM tariff"
        " WHERE hall_id = :id AND version = 2",
        id=hall_id,
    ) == [(250_000, [EVENING], 10_000, "RUB", today() + timedelta(days=10))]
    ((changed_from, changed_to),) = shop.rows(
        "SELECT before, after FROM audit WHERE subject_id = :id AND after ->> 'version' = '2'", id=hall_id
    )
    assert (changed_from["per_hour_minor"], changed_to["per_hour_minor"]) == (PER_HOUR_MINOR, 250_000)


@pytest.mark.parametrize(
    ("ahead", "per_hour_minor", "code"),
    [(-1, 1, "price_date_past"), (4_000, 1, "price_date_too_far"), (5, PER_HOUR_MINOR, "price_unchanged")],
)
def test_tariff_is_refused_before_anything_is_written(
    manager: Clerk, ahead: int, per_hour_minor: int, code: str
) -> None:
    hall_id = open_hall(manager)
    fields = {"per_hour_minor": per_hour_minor, "effective_from": day(ahead)}
    assert manager.codes("set_tariff", hall_id, **fields) == [code]
    with pytest.raises(Problem) as refused:
        manager.press("set_tariff", hall_id, **fields)
    assert (refused.value.status, refused.value.code) == (409, code)
    assert manager.shop.one("SELECT count(*) FROM tariff WHERE hall_id = :id", id=hall_id) == 1


def test_of_two_managers_at_once_the_second_is_told_that_the_day_is_taken(
    manager: Clerk, owner: Clerk
) -> None:
    hall_id = open_hall(manager)

    def press(clerk: Clerk) -> str:
        per_hour_minor = PER_HOUR_MINOR + (1 if clerk is owner else 2)
        try:
            clerk.press("set_tariff", hall_id, per_hour_minor=per_hour_minor, effective_from=day(5))
        except Problem as problem:
            return problem.code
        return "set"

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(press, (manager, owner))) == ["price_date_taken", "set"]


def test_extra_is_made_changed_and_counted_without_end(manager: Clerk) -> None:
    shop = manager.shop
    extra = {"name": "Microphone", "unit": "hour", "amount_minor": 50_000, "stock": 3}
    extra_id = manager.press("create_extra", **extra).subject_id
    with pytest.raises(Problem) as taken:
        manager.press("create_extra", **extra)
    assert taken.value.code == "extra_name_taken"
    manager.press("change_extra", extra_id, name="Microphone", amount_minor=60_000, stock=None)
    assert shop.rows(
        "SELECT amount_minor, stock, unit, is_active FROM extra WHERE id = :id", id=extra_id
    ) == [(60_000, None, "hour", True)]
    manager.press("change_extra", extra_id, name="Microphone", amount_minor=60_000, is_active=False)
    assert shop.one("SELECT is_active FROM extra WHERE id = :id", id=extra_id) is False
    assert manager.audits(extra_id) == ["create_extra", "change_extra", "change_extra"]


def test_booking_terms_are_the_studios_own(manager: Clerk, stranger: Clerk) -> None:
    shop = manager.shop
    terms = [{"hours_before": 24, "refund_percent": 100}]
    manager.press(
        "change_booking_terms", shop.studio_id, cancellation_terms=terms, pays_on_site=True, hold_seconds=600
    )
    found = "SELECT cancellation_terms, pays_on_site, hold_seconds, late_money FROM studio WHERE id = :id"
    assert shop.rows(found, id=shop.studio_id) == [(terms, True, 600, "refund")]
    manager.press("change_booking_terms", shop.studio_id, cancellation_terms=[])
    assert shop.rows(found, id=shop.studio_id) == [([], True, 600, "refund")]
    assert manager.audits(shop.studio_id) == ["change_booking_terms"] * 2
    with pytest.raises(Problem) as absent:
        stranger.press("change_booking_terms", shop.studio_id, hold_seconds=700)
    assert absent.value.status == 404


def test_hall_of_another_studio_is_not_there(manager: Clerk, stranger: Clerk) -> None:
    hall_id = open_hall(manager)
    extra = {"name": "Light", "amount_minor": 100, "hall_id": hall_id}
    for name, subject_id, fields in (
        ("change_hall", hall_id, {"name": "Mine"}),
        ("set_hours", hall_id, {"hours": HALL["hours"]}),
        ("set_tariff", hall_id, {"per_hour_minor": 1, "effective_from": day(1)}),
        ("create_extra", None, extra),
    ):
        with pytest.raises(Problem) as absent:
            stranger.press(name, subject_id, **fields)
        assert absent.value.status == 404, name


@pytest.mark.parametrize(
    "name", ["create_hall", "change_hall", "set_hours", "set_tariff", "create_extra", "change_booking_terms"]
)
def test_catalog_is_for_who_manages(manager: Clerk, support: Clerk, name: str) -> None:
    fields = {
        "create_hall": HALL,
        "set_hours": {"hours": HALL["hours"]},
        "set_tariff": {"per_hour_minor": 1, "effective_from": day(1)},
        "create_extra": {"name": "Light", "amount_minor": 100},
    }.get(name, {})
    subject_id = None if name.startswith("create") else manager.shop.studio_id
    with pytest.raises(Problem) as forbidden:
        support.press(name, subject_id, **fields)
    assert forbidden.value.status == 403
