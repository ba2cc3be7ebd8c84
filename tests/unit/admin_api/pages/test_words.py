import re
from collections import Counter
from importlib.resources import files
from pathlib import Path
from string import Formatter
from typing import get_args

import pytest
from pydantic import BaseModel

from admin_api.actions.registry import ACTIONS
from admin_api.listings import LISTINGS
from admin_api.listings.details.bookings import BookingDetail
from admin_api.pages.cells import MACHINES
from admin_api.pages.menu import MENU
from admin_api.pages.words import ROOMS, WORDS, say
from admin_api.permissions import ROLES
from billing.invoices import INVOICE
from billing.payments import PAYMENT
from billing.refunds import REFUND
from billing.subscriptions import SUBSCRIPTION
from booking.rules.machine import BOOKING
from bus.events import EVENTS
from bus.messages import COMMANDS
from cron.jobs import JOBS
from notifications.planning import WITHDRAWING

_MACHINES = (BOOKING, INVOICE, PAYMENT, REFUND, SUBSCRIPTION)
_SAID = re.compile(r"""\bsay\(\s*["']([a-z0-9_.]+)["']\s*[,)]""")
_TOLD = re.compile(r"""\btell\(\s*request,\s*["']([a-z0-9_.]+)["']\s*[,)]""")


def _room() -> Path:
    return Path(str(files("admin_api.pages")))


def _keys_in_templates() -> set[str]:
    texts = [path.read_text() for path in (_room() / "templates").rglob("*.html")]
    return {key for text in texts for key in _SAID.findall(text)}


def _keys_in_code() -> set[str]:
    return {key for path in _room().rglob("*.py") for key in _TOLD.findall(path.read_text())}


def _keys_of_registries() -> set[str]:
    return {
        *(f"listing.{name}" for name in LISTINGS),
        *(f"thing.{name}" for name, listing in LISTINGS.items() if listing.detail is not None),
        *(f"action.{name}" for name in ACTIONS),
        *(f"field.{name}" for action in ACTIONS.values() for name in action.body.model_fields),
        *(f"role.{role}" for role in ROLES),
        *(word for word, entries in MENU for word in (word, *(entry.word for entry in entries))),
        *(f"state.{machine.name}.{state}" for machine in _MACHINES for state in machine.states),
        *(f"trigger.{trigger}" for machine in _MACHINES for trigger, _, _ in machine.edges()),
        *(f"operation.{state}" for state in ("accepted", "applied", "refused", "parked")),
        *(f"job.{job}" for job in JOBS),
        *(f"state.operation.{state}" for state in ("accepted", "applied", "refused", "parked")),
    }


def _columns() -> set[tuple[str, str]]:
    views = [(name, listing.view) for name, listing in LISTINGS.items()]
    views += [(name, _part(name)) for name in ("booked_extras", "occupancies", "admissions")]
    return {(name, field) for name, view in views for field in view.model_fields if field != "id"}


def _part(name: str) -> type[BaseModel]:
    """What a list inside of a booking's page holds."""
    (view,) = get_args(BookingDetail.model_fields[name].annotation)
    assert issubclass(view, BaseModel)
    return view


@pytest.mark.parametrize("keys", [_keys_in_templates, _keys_in_code, _keys_of_registries])
def test_everything_that_a_page_says_is_in_the_words(keys: object) -> None:
    assert callable(keys)
    wanted = keys()
    assert len(wanted) > 10, "the keys were not found"
    assert sorted(wanted - WORDS.keys()) == []


def test_every_reason_not_to_send_a_message_has_words() -> None:
    told = {key.rpartition(".")[2] for key in WORDS if key.startswith("value.notifications.problem.")}
    files_of_rules = ("kinds.py", "booking_truth.py")
    rules = "".join(Path(str(files("notifications") / name)).read_text("utf-8") for name in files_of_rules)
    reasons = set(re.findall(r"""(?:return|else) "([a-z_]+)\"""", rules))
    assert len(reasons) > 20, "the reasons were not found"
    assert reasons | {f"invoice_{state}" for state in INVOICE.states if state != "open"} <= told
    assert {*WITHDRAWING.values(), *(f"booking_{state}" for state in BOOKING.states)} <= told


def _codes_of_refusals() -> set[str]:
    """What bookings may be refused for, in the product's own text."""
    root = Path(str(files("booking"))).parent
    rooms = [*(root / "booking").rglob("*.py"), *(root / "state_updater" / "handlers").rglob("*.py")]
    rooms += (root / "admin_api" / "actions").glob("*.py")
    refused = re.compile(r"""Refused\(\s*"([a-z_]+)\"""")
    return {code for path in rooms for code in refused.findall(path.read_text("utf-8"))}


def test_every_refusal_of_a_booking_has_words() -> None:
    codes = _codes_of_refusals()
    assert {"slot_taken", "bookings_in_the_way", "cleared_in_part", "hold_expired"} <= codes
    assert sorted(code for code in codes if f"problem.{code}" not in WORDS) == []


def test_every_command_and_event_has_words() -> None:
    wanted = {f"{key}.{name}" for name in COMMANDS for key in ("command", "did")}
    wanted |= {f"value.events.kind.{name}" for name in EVENTS}
    # The clock's own commands are nobody's doing.
    assert sorted(wanted - WORDS.keys() - {"did.RenewSubscription", "did.EndSubscription"}) == []


def test_every_column_has_a_heading() -> None:
    missing = [
        f"column.{listing}.{name}"
        for listing, name in sorted(_columns())
        if f"column.{listing}.{name}" not in WORDS and f"column.{name}" not in WORDS
    ]
    assert missing == []


@pytest.mark.parametrize("key", sorted(WORDS))
def test_both_languages_say_the_same_with_the_same_facts(key: str) -> None:
    russian, english = WORDS[key]
    assert russian.strip()
    assert english.strip()
    assert _facts(russian) == _facts(english)


def _facts(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def test_no_two_rooms_have_one_key() -> None:
    counted = Counter(key for room in ROOMS.values() for key in room)
    assert [key for key, count in counted.items() if count > 1] == []


def test_a_number_takes_the_form_that_its_language_wants() -> None:
    said = [say("ru", "list.count", {"number": n, "count": n}) for n in (1, 2, 5, 11, 21, 112)]
    assert said == ["1 запись", "2 записи", "5 записей", "11 записей", "21 запись", "112 записей"]
    assert say("en", "list.count", {"number": 1, "count": 1}) == "1 row"
    assert say("en", "list.count", {"number": 0, "count": 0}) == "0 rows"


def test_every_machine_that_a_page_shows_has_words_for_its_states() -> None:
    assert set(MACHINES.values()) - {"operation"} <= {machine.name for machine in _MACHINES}
