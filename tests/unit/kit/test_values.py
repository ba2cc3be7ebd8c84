"""Ids, canonical JSON and errors: what hashes and repeats stand on."""

import json
from datetime import UTC, datetime, timedelta, timezone
from uuid import RFC_4122, UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.canonical import canonical_json
from kit.clock import system_clock
from kit.errors import InvariantViolated, NotFound, Refused
from kit.ids import BILLBUS_NAMESPACE, derived_id, derived_id_at, new_id, sha256

JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda children: (
        st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=5), children, max_size=4)
    ),
    max_leaves=12,
)


def test_new_ids_are_ordered_by_time_and_differ() -> None:
    made = [new_id() for _ in range(200)]
    assert all(each.version == 7 for each in made)
    assert made == sorted(set(made))


def test_a_derived_id_is_the_same_for_ever() -> None:
    assert UUID("6f1c1c0e-6a5e-5d0a-9f0a-3f0b5a4b7e11") == BILLBUS_NAMESPACE
    assert derived_id("provider_payment", "account", "111") == UUID("662119e1-a606-5da0-8438-631bd9494e38")


def test_a_derived_id_of_an_instant_stands_among_new_ones_by_its_time() -> None:
    before, at, after = new_id(), datetime.now(UTC) + timedelta(seconds=5), new_id()
    derived = derived_id_at(at, "renewal", 1)
    assert derived_id_at(at, "renewal", "1") == derived != derived_id_at(at, "renewal", 2)
    assert before < after < derived < derived_id_at(at + timedelta(milliseconds=1), "renewal", 1)
    assert (derived.version, derived.variant) == (7, RFC_4122)
    assert derived.int >> 80 == int(at.timestamp() * 1000)


def test_parts_of_a_derived_id_do_not_run_into_each_other() -> None:
    assert derived_id("a", "bc") != derived_id("ab", "c")
    assert derived_id("a", 1) == derived_id("a", "1")


@given(JSON_VALUES)
def test_canonical_json_has_one_form_whatever_the_order_of_keys(value: object) -> None:
    def turned(part: object) -> object:
        if isinstance(part, dict):
            return {key: turned(part[key]) for key in reversed(list(part))}
        return [turned(each) for each in part] if isinstance(part, list) else part

    assert canonical_json(turned(value)) == canonical_json(value)
    assert json.loads(canonical_json(value)) == value


def test_instants_are_written_in_utc_with_all_their_microseconds() -> None:
    noon = datetime(2026, 3, 1, 12, 0, 0, 1, tzinfo=UTC)
    moscow = noon.astimezone(timezone(timedelta(hours=3)))
    assert canonical_json(noon) == b'"2026-03-01T12:00:00.000001Z"'
    assert canonical_json({"b": moscow, "a": UUID(int=1)}) != canonical_json({"b": noon, "a": UUID(int=2)})


def test_sha256_is_32_bytes() -> None:
    assert sha256(b"").hex().startswith("e3b0c442")
    assert len(sha256(b"x")) == 32


def test_an_error_carries_its_code_and_facts_not_prose() -> None:
    error = NotFound(what="invoice", id="1")
    assert isinstance(error, Refused)
    assert (error.code, error.facts) == ("not_found", {"what": "invoice", "id": "1"})
    assert str(Refused("payment_in_progress", state="sent")) == "payment_in_progress state=sent"
    assert InvariantViolated().code == "invariant_violated"


def test_the_clock_is_aware() -> None:
    assert system_clock().tzinfo is UTC


@pytest.mark.parametrize("naive", [datetime(2026, 1, 1)])  # noqa: DTZ001
def test_a_naive_instant_is_hashed_apart_from_an_aware_one(naive: datetime) -> None:
    assert canonical_json(naive) != canonical_json(naive.replace(tzinfo=UTC))
