"""Friendly words: complete in both languages, and never a failure while money may still move."""

import re
from importlib.resources import files
from pathlib import Path

import pytest

from billing.payments import IN_FLIGHT, PAYMENT
from billing.subscriptions import TABLE as SUBSCRIPTION_TABLE
from client_api.pages.phases import CHANGING, Phase, decide_phase
from client_api.pages.words import LANGUAGES, choose_language, words_of
from state_updater.machines import MACHINES
from tests.unit.client_api.attempts import attempt

ROOT = Path(__file__).resolve().parents[3]
# The page asks for a fortnight, names each extra once, offers only what the studio does, and closes no hall.
NEVER_MET = {"answer_too_large", "closed_in_the_past", "extra_given_twice", "on_site_not_offered", "not_due"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_state_of_every_machine_and_every_phase_has_words(language: str) -> None:
    words = words_of("ru" if language == "ru" else "en")
    states = {f"{name}.{state}" for name, machine in MACHINES.items() for state in machine.states}
    assert states | {f"phase.{phase.value}" for phase in Phase} <= words.keys()
    assert not [key for key in states if key.partition(".")[2] in words[key].split()[:1]]


def test_a_step_that_leaves_a_subscription_as_it_was_is_told_by_its_own_words() -> None:
    words = words_of("en")
    steps = {row["trigger"] for row in SUBSCRIPTION_TABLE if row["source"] == row["dest"]}
    assert {"renew", "let_end"} <= steps
    assert not [step for step in steps if f"step.subscription.{step}" not in words]


def test_every_sentence_that_a_script_asks_for_is_there() -> None:
    scripts = (files("client_api.pages") / "static").iterdir()
    asked = {
        name for script in scripts for name in re.findall(r"\bwords\.(\w+)", script.read_text("utf-8"))
    } - {"language"}
    assert {"cancel_at_period_end_sure", "active_until_end"} <= asked <= words_of("en").keys()


def test_every_refusal_that_a_booking_may_meet_has_words() -> None:
    sources = [*(ROOT / "booking").rglob("*.py")]
    sources += [ROOT / "state_updater" / "handlers" / f"{name}.py" for name in ("holds", "slots", "bookings")]
    codes = {code for one in sources for code in re.findall(r'Refused\(\s*"(\w+)"', one.read_text("utf-8"))}
    assert {"slot_taken", "hold_expired", "too_many_holds", "quote_expired"} <= codes
    assert not [code for code in codes - NEVER_MET if f"problem.{code}" not in words_of("ru")]


@pytest.mark.parametrize("state", sorted(IN_FLIGHT))
def test_money_that_may_be_moving_is_never_called_declined(state: str) -> None:
    assert decide_phase(attempt(state=state)) in CHANGING


@pytest.mark.parametrize("state", PAYMENT.states)
def test_every_state_of_an_attempt_has_a_phase(state: str) -> None:
    assert decide_phase(attempt(state=state)) in Phase


def test_money_for_a_closed_invoice_is_kept_and_not_called_paid() -> None:
    assert decide_phase(attempt(state="succeeded", invoice_state="void")) is Phase.KEPT
    assert decide_phase(attempt(state="succeeded", invoice_state="paid")) is Phase.PAID


@pytest.mark.parametrize(
    ("asked", "header", "language"),
    [
        ("en", "ru", "en"),
        ("xx", "ru-RU", "ru"),
        (None, "de, en;q=0.8", "en"),
        (None, "", "ru"),
        (None, "*", "ru"),
        (None, "x" * 10_000, "ru"),
    ],
)
def test_the_language_is_the_first_of_ours_that_is_asked_for(
    asked: str | None, header: str, language: str
) -> None:
    assert choose_language(asked, header, "ru") == language
