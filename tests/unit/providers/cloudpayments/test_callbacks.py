"""The signature vectors of the wire notes, and a corpus of callbacks that must never be believed."""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import quote_plus, urlencode
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.cloudpayments.callbacks import BODY_LIMIT_BYTES, read_callback
from providers.port import (
    BadSignature,
    Callback,
    CallbackKind,
    DeclineCategory,
    ProviderAccount,
    UnreadableCallback,
)

FORM = (
    b"TransactionId=123456789&Amount=1490.00&Currency=RUB&InvoiceId=inv-2026-000042"
    b"&AccountId=user%2B7%40example.ru&Status=Completed&OperationType=Payment"
    b"&Description=%D0%9F%D0%BE%D0%B4%D0%BF%D0%B8%D1%81%D0%BA%D0%B0+Pro&Data=%7B%22period%22%3A7%7D"
)
FORM_HMAC = "srJ/FZDjD2WqTYq5TZ2/u7bQ1u8vA4k+dyUgRWA18ds="
FORM_DECODED_HMAC = "qI67xo9vDzhS/4owpDCmkIltTYY24qYP7EYAzE/xlIs="
JSON = (
    b'{"TransactionId":123456789,"Amount":1490.00,"Currency":"RUB",'
    b'"InvoiceId":"inv-2026-000042","Status":"Completed"}'
)
JSON_HMAC = "VGmOt5CQtHUlJbSi0tNXRM8OM7e70Bz+xoHSQ+YqYt0="
SECRET = "cp_test_api_secret_0001"
FORM_TYPE = {"Content-Type": "application/x-www-form-urlencoded"}
JSON_TYPE = {"Content-Type": "application/json; charset=utf-8"}


def signature(message: bytes, secret: str = SECRET) -> str:
    return base64.b64encode(hmac.digest(secret.encode(), message, hashlib.sha256)).decode()


def read(
    account: ProviderAccount, body: bytes, kind: CallbackKind = CallbackKind.PAY, json_body: bool = False
) -> Callback:
    """Read a body with a right signature, so that only its content is judged."""
    headers = (JSON_TYPE if json_body else FORM_TYPE) | {"Content-HMAC": signature(body)}
    return read_callback(account, kind, headers, body)


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (FORM_TYPE | {"Content-HMAC": FORM_HMAC}, FORM),
        (FORM_TYPE | {"X-Content-HMAC": FORM_DECODED_HMAC}, FORM),
        (FORM_TYPE | {"content-hmac": FORM_HMAC, "x-content-hmac": FORM_DECODED_HMAC}, FORM),
        (JSON_TYPE | {"Content-HMAC": JSON_HMAC}, JSON),
        (JSON_TYPE | {"X-Content-HMAC": JSON_HMAC}, JSON),
    ],
)
def test_published_vectors_are_accepted_and_read_exactly(
    account: ProviderAccount, headers: dict[str, str], body: bytes
) -> None:
    callback = read_callback(account, CallbackKind.PAY, headers, body)
    assert callback.transaction_id == "123456789"
    assert (callback.amount_minor, callback.currency) == (149_000, "RUB")
    assert callback.attempt_reference == "inv-2026-000042"
    assert callback.status == "Completed"
    assert callback.customer_reference == ("user+7@example.ru" if body is FORM else "")


def forgeries() -> Iterator[tuple[str, dict[str, str], bytes]]:
    """Give callbacks that somebody without the secret, or with an old signature, could send."""
    yield "no signature", {}, FORM
    yield "empty signature", {"Content-HMAC": ""}, FORM
    yield "key of another studio", {"Content-HMAC": signature(FORM, "another secret")}, FORM
    yield "empty key", {"Content-HMAC": signature(FORM, "")}, FORM
    yield "hex", {"Content-HMAC": base64.b64decode(FORM_HMAC).hex()}, FORM
    yield "lower case", {"Content-HMAC": FORM_HMAC.lower()}, FORM
    yield "no padding", {"Content-HMAC": FORM_HMAC.rstrip("=")}, FORM
    yield "url-safe alphabet", {"Content-HMAC": FORM_HMAC.replace("/", "_").replace("+", "-")}, FORM
    yield "trailing newline", {"Content-HMAC": FORM_HMAC + "\n"}, FORM
    yield "twice in one header", {"Content-HMAC": f"{FORM_HMAC}, {FORM_HMAC}"}, FORM
    yield "not ASCII", {"Content-HMAC": "подпись"}, FORM
    yield "decoded signature in the first header", {"Content-HMAC": FORM_DECODED_HMAC}, FORM
    yield "raw signature in the second header", {"X-Content-HMAC": FORM_HMAC}, FORM
    yield "wrong first, right second", {"Content-HMAC": "x", "X-Content-HMAC": FORM_DECODED_HMAC}, FORM
    yield "empty first, right second", {"Content-HMAC": "", "X-Content-HMAC": FORM_DECODED_HMAC}, FORM
    for name, body in {
        "newline added": FORM + b"\n",
        "field added": FORM + b"&Amount=1.00",
        "re-encoded space": FORM.replace(b"+Pro", b"%20Pro"),
        "re-encoded plus": FORM.replace(b"%2B", b"+"),
        "lower-case escapes": FORM.lower(),
        "decoded": FORM.replace(b"%40", b"@"),
        "amount as a float prints it": FORM.replace(b"1490.00", b"1490.0"),
        "other amount": FORM.replace(b"1490.00", b"9490.00"),
        "other currency": FORM.replace(b"RUB", b"USD"),
        "other invoice": FORM.replace(b"000042", b"000043"),
        "reordered": b"&".join(reversed(FORM.split(b"&"))),
        "empty": b"",
    }.items():
        yield name, {"Content-HMAC": FORM_HMAC}, body
    yield (
        "decoded signature, hidden structure",
        {"X-Content-HMAC": FORM_DECODED_HMAC},
        FORM.replace(b"&Currency=", b"%26Currency%3D"),
    )
    for position in range(0, len(FORM), 7):
        yield f"truncated at {position}", {"Content-HMAC": FORM_HMAC}, FORM[:position]
        flipped = FORM[:position] + bytes([FORM[position] ^ 1]) + FORM[position + 1 :]
        yield f"bit flipped at {position}", {"Content-HMAC": FORM_HMAC}, flipped
        yield f"bit flipped at {position}, decoded", {"X-Content-HMAC": FORM_DECODED_HMAC}, flipped
    for position in range(len(FORM_HMAC) - 1):
        letter = "A" if FORM_HMAC[position] != "A" else "B"
        changed = FORM_HMAC[:position] + letter + FORM_HMAC[position + 1 :]
        yield f"signature changed at {position}", {"Content-HMAC": changed}, FORM
    respaced = JSON.replace(b",", b", ")
    yield "JSON written again", JSON_TYPE | {"Content-HMAC": JSON_HMAC}, respaced
    as_float = JSON.replace(b"1490.00", b"1490.0")
    yield "JSON amount as a float prints it", JSON_TYPE | {"X-Content-HMAC": JSON_HMAC}, as_float


@pytest.mark.parametrize(
    ("headers", "body"), [pytest.param(headers, body, id=name) for name, headers, body in forgeries()]
)
def test_forged_truncated_and_reencoded_callbacks_are_refused(
    account: ProviderAccount, headers: dict[str, str], body: bytes
) -> None:
    with pytest.raises(BadSignature):
        read_callback(account, CallbackKind.PAY, FORM_TYPE | headers, body)


@given(
    headers=st.dictionaries(st.sampled_from(["Content-HMAC", "X-Content-HMAC"]), st.text()), body=st.binary()
)
def test_random_bytes_are_never_believed(headers: dict[str, str], body: bytes) -> None:
    account = ProviderAccount(UUID(int=1), "cloudpayments", "pk", "secret", "", "", True)
    with pytest.raises(BadSignature):
        read_callback(account, CallbackKind.PAY, FORM_TYPE | headers, body)


def test_a_decoded_signature_does_not_cover_a_body_whose_fields_could_shift(account: ProviderAccount) -> None:
    # The payer named himself "x&Amount=1.00"; decoded, both bodies below are one and the same text.
    decoded = "TransactionId=1&Currency=RUB&AccountId=u&Amount=1490.00&Status=Completed&Name=x&Amount=1.00"
    shifted = (
        "TransactionId=1&Currency=RUB&AccountId=u%26Amount%3D1490.00&Status=Completed&Name=x&Amount=1.00"
    )
    with pytest.raises(BadSignature):
        read_callback(
            account,
            CallbackKind.PAY,
            FORM_TYPE | {"X-Content-HMAC": signature(decoded.encode())},
            shifted.encode(),
        )


@pytest.mark.parametrize(
    "amount",
    [
        *("1490.001", "-1490.00", "+1490", "1e3", "1E3", "NaN", "Infinity", "0", "0.00", "1,490.00", "1490."),
        *(
            ".50",
            "0x10",
            "１４９０",
            "1490.00\x00",
            "",
            " 1490.00",
            "1490.00 ",
            "1490\n",
            "9" * 13,
            "9" * 5000,
        ),
    ],
)
def test_amounts_that_are_no_plain_decimals_are_refused(account: ProviderAccount, amount: str) -> None:
    body = FORM.replace(b"1490.00", quote_plus(amount).encode())
    with pytest.raises(UnreadableCallback):
        read(account, body)


@pytest.mark.parametrize(("amount", "amount_minor"), [("1490", 149_000), ("1490.5", 149_050), ("0.01", 1)])
def test_plain_decimals_become_kopecks(account: ProviderAccount, amount: str, amount_minor: int) -> None:
    assert read(account, FORM.replace(b"1490.00", amount.encode())).amount_minor == amount_minor


@pytest.mark.parametrize(
    "body",
    [
        FORM + b"&Amount=1490.00",
        FORM.replace(b"123456789", b"12345678x"),
        FORM.replace(b"123456789", b""),
        FORM.replace(b"RUB", b"JPY"),
        FORM.replace(b"RUB", b""),
        FORM + b"&Name=%FF%FE",
        FORM + b"&Name=%00",
        FORM + b"&" + b"&".join(b"k%d=v" % number for number in range(100)),
        FORM + b"&Name",
        FORM + "&Name=Ж".encode(),
        b"",
    ],
)
def test_signed_forms_that_need_guessing_are_refused(account: ProviderAccount, body: bytes) -> None:
    with pytest.raises(UnreadableCallback):
        read(account, body)


@pytest.mark.parametrize(
    "body",
    [
        JSON.replace(b"1490.00", b"1.49e3"),
        JSON.replace(b"1490.00", b"NaN"),
        JSON.replace(b"1490.00", b"-1490.00"),
        JSON.replace(b"1490.00", b"9" * 5000),
        JSON.replace(b"1490.00", b'1490.00,"Amount":1.00'),
        JSON.replace(b'"RUB"', b'"\\ud800"'),
        JSON.replace(b"inv-2026", b"\\u0000"),
        b"[" * 60_000,
        b"[]",
        b"null",
        b"\xff",
        JSON[:-1],
    ],
)
def test_signed_json_that_needs_guessing_is_refused(account: ProviderAccount, body: bytes) -> None:
    with pytest.raises(UnreadableCallback):
        read(account, body, json_body=True)


def test_signed_json_called_a_form_is_not_read_by_the_fields_hidden_in_its_texts(
    account: ProviderAccount,
) -> None:
    hidden = b"x=&TransactionId=9&Amount=1.00&Currency=RUB&InvoiceId=other&Status=Completed"
    with pytest.raises(UnreadableCallback):
        read(account, JSON.replace(b"inv-2026-000042", hidden))


def test_a_body_over_the_limit_is_refused_before_its_signature_is_computed(account: ProviderAccount) -> None:
    with pytest.raises(UnreadableCallback):
        read(account, FORM + b"&Name=" + b"x" * BODY_LIMIT_BYTES)


def test_a_fail_says_why_and_in_which_category(account: ProviderAccount) -> None:
    fields = {
        "TransactionId": "5",
        "Amount": "10.00",
        "Currency": "RUB",
        "InvoiceId": "a",
        "ReasonCode": "5051",
        "Reason": "InsufficientFunds",
        "TestMode": "1",
        "CardFirstSix": "411111",
        "CardLastFour": "1111",
    }
    callback = read(account, urlencode(fields).encode(), CallbackKind.FAIL)
    assert callback.decline is not None
    assert (callback.reason_code, callback.decline.category) == ("5051", DeclineCategory.SOFT)
    assert (callback.status, callback.is_test, callback.card_mask) == ("Declined", True, "411111******1111")


def test_a_refund_names_its_payment_and_our_refund(account: ProviderAccount) -> None:
    fields = {
        "TransactionId": "6",
        "PaymentTransactionId": "5",
        "Amount": "10.00",
        "InvoiceId": "a",
        "Data": json.dumps({"refund_id": "r-7"}),
    }
    callback = read(account, urlencode(fields).encode(), CallbackKind.REFUND)
    assert (callback.payment_transaction_id, callback.refund_reference) == ("5", "r-7")
    assert callback.currency is None
    by_hand = read(account, urlencode(fields | {"Data": "not JSON"}).encode(), CallbackKind.REFUND)
    assert by_hand.refund_reference is None


def test_the_same_fact_hashes_the_same_however_it_is_encoded(account: ProviderAccount) -> None:
    form = read(account, FORM)
    assert form.deduplication_hash == read(account, FORM.replace(b"+Pro", b"%20Pro")).deduplication_hash
    assert form.deduplication_hash == read(account, JSON, json_body=True).deduplication_hash
    assert len(form.deduplication_hash) == 32


def test_another_fact_or_account_hashes_otherwise(account: ProviderAccount) -> None:
    first = read(account, FORM)
    others = [
        read(account, FORM.replace(b"1490.00", b"1490.01")),
        read(account, FORM.replace(b"123456789", b"123456780")),
        read(account, FORM.replace(b"Completed", b"Authorized")),
        read(account, FORM, CallbackKind.CHECK),
        read(replace(account, account_id=UUID(int=2)), FORM),
    ]
    assert len({first.deduplication_hash, *(other.deduplication_hash for other in others)}) == 6


def test_the_secret_is_not_in_the_repr(account: ProviderAccount) -> None:
    assert account.secret not in repr(account)
