"""Quotes hold what was offered, for whom, and for how long."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import jwt
import pytest
from pydantic import SecretStr

from booking.quotes import QUOTE_LENGTH_LIMIT, Quote, quote_key, read_quote, sign_quote
from bus.messages import LINES_LIMIT, CancellationTier, ExtraWanted, InvoiceLine, Offer
from kit.errors import Refused
from kit.ids import new_id

KEY = quote_key(SecretStr("k" * 64))
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
OFFER = Offer(
    hall_id=new_id(),
    starts_at=NOW + timedelta(days=1),
    ends_at=NOW + timedelta(days=1, hours=2),
    people=3,
    extras=(ExtraWanted(extra_id=new_id(), quantity=2),),
    lines=(InvoiceLine(description="Большой зал 18:00–20:00", quantity=1, unit_amount_minor=400_000),),
    terms=(CancellationTier(hours_before=24, refund_percent=50),),
)
QUOTE = Quote(new_id(), new_id(), None, OFFER, NOW + timedelta(minutes=10))


def test_what_was_signed_is_read_again() -> None:
    assert read_quote(KEY, sign_quote(KEY, QUOTE), QUOTE.studio_id, QUOTE.customer_id) == QUOTE
    moving = replace(QUOTE, booking_id=new_id())
    token = sign_quote(KEY, moving)
    assert read_quote(KEY, token, QUOTE.studio_id, QUOTE.customer_id, moving.booking_id) == moving


def test_every_quote_has_an_id_of_its_own() -> None:
    assert sign_quote(KEY, QUOTE) != sign_quote(KEY, QUOTE)


@pytest.mark.parametrize(
    ("studio_id", "customer_id", "booking_id"),
    [
        (new_id(), QUOTE.customer_id, None),
        (QUOTE.studio_id, new_id(), None),
        (QUOTE.studio_id, QUOTE.customer_id, new_id()),
    ],
    ids=["studio", "customer", "booking"],
)
def test_it_is_good_for_nothing_else(studio_id: UUID, customer_id: UUID, booking_id: UUID | None) -> None:
    with pytest.raises(Refused, match="quote_invalid"):
        read_quote(KEY, sign_quote(KEY, QUOTE), studio_id, customer_id, booking_id)


@pytest.mark.parametrize(
    "changed",
    [
        {"typ": "access"},
        {"iss": "another"},
        {"until": "soon"},
        {"until": 10**20},
        {"offer": "AAAA"},
        {"offer": 7},
        {"sub": "nobody"},
        {"booking": 7},
    ],
)
def test_a_token_with_our_signature_that_is_no_quote_is_refused(changed: dict[str, object]) -> None:
    claims = jwt.decode(sign_quote(KEY, QUOTE), options={"verify_signature": False})
    token = jwt.encode({**claims, **changed}, KEY, algorithm="HS256")
    with pytest.raises(Refused, match="quote_invalid"):
        read_quote(KEY, token, QUOTE.studio_id, QUOTE.customer_id)


def test_a_token_without_a_claim_or_under_another_key_is_refused() -> None:
    claims = jwt.decode(sign_quote(KEY, QUOTE), options={"verify_signature": False})
    for name in claims.keys() - {"booking"}:
        less = {key: value for key, value in claims.items() if key != name}
        with pytest.raises(Refused, match="quote_invalid"):
            read_quote(KEY, jwt.encode(less, KEY, "HS256"), QUOTE.studio_id, QUOTE.customer_id)
    other = quote_key(SecretStr("o" * 64))
    with pytest.raises(Refused, match="quote_invalid"):
        read_quote(KEY, sign_quote(other, QUOTE), QUOTE.studio_id, QUOTE.customer_id)


def test_its_key_is_not_the_one_it_comes_from() -> None:
    assert KEY != b"k" * 64
    assert len(KEY) == 32


def test_it_lasts_until_its_time_and_not_a_moment_longer() -> None:
    QUOTE.require_valid(QUOTE.valid_until - timedelta(microseconds=1))
    with pytest.raises(Refused, match="quote_expired"):
        QUOTE.require_valid(QUOTE.valid_until)


def test_the_longest_offer_of_a_message_fits_in() -> None:
    lines = tuple(
        InvoiceLine(description=f"Зал {number} ".ljust(200, "я"), quantity=1, unit_amount_minor=number + 1)
        for number in range(LINES_LIMIT)
    )
    longest = replace(QUOTE, offer=OFFER.model_copy(update={"lines": lines}))
    assert len(sign_quote(KEY, longest)) < QUOTE_LENGTH_LIMIT
