"""The CloudPayments adapter against its twin, a real process."""

import socket
import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest
import requests

from providers.cloudpayments.client import CloudPaymentsClient
from providers.cloudpayments.client.api import CloudPaymentsApi
from providers.cloudpayments.client.transport import CallFailed, open_session
from providers.port import (
    NOT_FOUND,
    DeclineCategory,
    LookUp,
    Outcome,
    OutcomeKind,
    PaymentRequest,
    RefundRequest,
)
from tests.contract.providers.terminals import Terminal, refund_of

NewPayment = Callable[[], PaymentRequest]


def outcome_of(look_up: LookUp) -> Outcome:
    assert isinstance(look_up, Outcome)
    return look_up


def pay(terminal: Terminal, payment: PaymentRequest) -> Outcome:
    """Create a link and press Pay on its page."""
    terminal.press(terminal.client.create_payment(payment).redirect_url)
    return outcome_of(terminal.client.find_payment(payment.attempt_id))


def find_refund_today(terminal: Terminal, refund: RefundRequest) -> LookUp:
    today = datetime.now(UTC).date()
    return terminal.client.find_refund(refund, today, today)


def test_a_link_is_created_paid_found_and_refunded_to_the_kopeck(
    terminal: Terminal, new_payment: NewPayment
) -> None:
    payment = new_payment()
    created = terminal.client.create_payment(payment)
    assert created.kind is OutcomeKind.REQUIRES_ACTION
    assert terminal.client.find_payment(payment.attempt_id) is NOT_FOUND

    terminal.press(created.redirect_url)
    found = outcome_of(terminal.client.find_payment(payment.attempt_id))
    assert (found.kind, found.amount_minor, found.currency) == (OutcomeKind.SUCCEEDED, 149_050, "RUB")

    refund = refund_of(payment, found.transaction_id, 49_051)
    assert find_refund_today(terminal, refund) is NOT_FOUND
    made = terminal.client.refund(refund)
    assert made.kind is OutcomeKind.SUCCEEDED
    told = outcome_of(find_refund_today(terminal, refund))
    assert (told.kind, told.transaction_id, told.amount_minor) == (
        OutcomeKind.SUCCEEDED,
        made.transaction_id,
        49_051,
    )

    books = terminal.ledger()
    assert [row["amount_minor"] for row in books["captures"]] == [149_050]
    assert [row["amount_minor"] for row in books["refunds"]] == [49_051]
    assert [row["invoice_id"] for row in books["captures"]] == [str(payment.attempt_id)]
    assert books["violations"] == []


def test_amounts_leave_as_exact_decimals(terminal: Terminal, new_payment: NewPayment) -> None:
    terminal.client.create_payment(replace(new_payment(), amount_minor=10))
    assert '"Amount":0.10,' in terminal.ledger()["requests"][0]["body"]


def test_a_declined_payment_is_found_as_a_fact(terminal: Terminal, new_payment: NewPayment) -> None:
    payment = new_payment()
    terminal.press(terminal.client.create_payment(payment).redirect_url, "decline")
    found = outcome_of(terminal.client.find_payment(payment.attempt_id))
    assert found.kind is OutcomeKind.DECLINED
    assert found.decline is not None
    assert (found.decline.code, found.decline.category) == ("5051", DeclineCategory.SOFT)


def test_a_transaction_is_found_by_its_own_id_whatever_came_after_it(
    terminal: Terminal, new_payment: NewPayment
) -> None:
    payment = new_payment()
    url = terminal.client.create_payment(payment).redirect_url
    terminal.press(url, "decline")
    declined_id = terminal.ledger()["declines"][0]["transaction_id"]
    terminal.press(url)
    paid_id = terminal.ledger()["captures"][0]["transaction_id"]
    found = [
        outcome_of(terminal.client.find_transaction(payment.attempt_id, each))
        for each in (declined_id, paid_id)
    ]
    assert [(each.kind, each.transaction_id) for each in found] == [
        (OutcomeKind.DECLINED, declined_id),
        (OutcomeKind.SUCCEEDED, paid_id),
    ]
    assert terminal.client.find_transaction(payment.attempt_id, "1") is NOT_FOUND
    foreign = outcome_of(terminal.client.find_transaction(uuid.uuid4(), paid_id))
    assert (foreign.kind, foreign.cause) == (OutcomeKind.UNKNOWN, "foreign_payment")


@pytest.mark.parametrize("fault", ["cut_after_effect", "error_500_after_effect", "not_json"])
def test_a_lost_answer_is_unknown_and_the_same_request_id_brings_it_back(
    terminal: Terminal, new_payment: NewPayment, fault: str
) -> None:
    payment = new_payment()
    terminal.twin.script({"point": "orders/create", "kind": fault})
    assert terminal.client.create_payment(payment).kind is OutcomeKind.UNKNOWN
    again = terminal.client.create_payment(payment)
    assert again.kind is OutcomeKind.REQUIRES_ACTION
    assert len(terminal.ledger()["orders"]) == 1


@pytest.mark.parametrize("fault", ["cut_after_effect", "error_500_after_effect", "not_json"])
def test_a_refund_whose_answer_was_lost_is_told_by_the_look_up(
    terminal: Terminal, new_payment: NewPayment, fault: str
) -> None:
    payment = new_payment()
    refund = refund_of(payment, pay(terminal, payment).transaction_id, 149_050)
    terminal.twin.script({"point": "payments/refund", "kind": fault})
    assert terminal.client.refund(refund).kind is OutcomeKind.UNKNOWN
    told = outcome_of(find_refund_today(terminal, refund))
    assert (told.kind, told.amount_minor) == (OutcomeKind.SUCCEEDED, 149_050)


def test_a_failure_before_the_effect_is_unknown_and_leaves_nothing_to_find(
    terminal: Terminal, new_payment: NewPayment
) -> None:
    payment = new_payment()
    refund = refund_of(payment, pay(terminal, payment).transaction_id, 149_050)
    terminal.twin.script({"point": "payments/refund", "kind": "error_500_before_effect"})
    assert terminal.client.refund(refund).kind is OutcomeKind.UNKNOWN
    assert find_refund_today(terminal, refund) is NOT_FOUND


def test_a_slow_answer_is_unknown_after_the_deadline(terminal: Terminal, new_payment: NewPayment) -> None:
    terminal.twin.script({"point": "orders/create", "kind": "slow", "milliseconds": 1000})
    hasty = CloudPaymentsClient(terminal.account, answer_timeout_seconds=0.2)
    outcome = hasty.create_payment(new_payment())
    hasty.close()
    assert (outcome.kind, outcome.cause) == (OutcomeKind.UNKNOWN, "read_timeout")


def test_a_repeated_refund_with_the_same_request_id_is_one_refund(
    terminal: Terminal, new_payment: NewPayment
) -> None:
    payment = new_payment()
    refund = refund_of(payment, pay(terminal, payment).transaction_id, 1_000)
    first, second = terminal.client.refund(refund), terminal.client.refund(refund)
    assert first == second
    assert len(terminal.ledger()["refunds"]) == 1


def test_a_request_id_with_another_body_is_unknown_and_shouted_about(
    terminal: Terminal, new_payment: NewPayment
) -> None:
    payment = new_payment()
    terminal.client.create_payment(payment)
    before = len(terminal.ledger()["violations"])
    other = terminal.client.create_payment(replace(payment, amount_minor=1))
    assert other.kind is OutcomeKind.UNKNOWN
    books = terminal.ledger()
    assert len(books["violations"]) == before + 1
    assert len(books["orders"]) == 1


def test_more_than_what_was_paid_is_not_refunded(terminal: Terminal, new_payment: NewPayment) -> None:
    payment = new_payment()
    transaction_id = pay(terminal, payment).transaction_id
    terminal.client.refund(refund_of(payment, transaction_id, 149_000))
    declined = terminal.client.refund(refund_of(payment, transaction_id, 51))
    assert declined.kind is OutcomeKind.DECLINED
    assert declined.decline is not None
    assert declined.decline.text


def test_a_cabinet_refund_of_the_same_sum_leaves_ours_unknown(
    terminal: Terminal, new_payment: NewPayment
) -> None:
    payment = new_payment()
    transaction_id = pay(terminal, payment).transaction_id
    by_hand = {"transaction_id": transaction_id, "amount_minor": 700}
    terminal.twin.send("POST", "/_twin/refunds", json=by_hand).raise_for_status()
    same = outcome_of(find_refund_today(terminal, refund_of(payment, transaction_id, 700)))
    assert (same.kind, same.cause) == (OutcomeKind.UNKNOWN, "unnamed_refund")
    assert find_refund_today(terminal, refund_of(payment, transaction_id, 701)) is NOT_FOUND


def test_a_refund_beyond_the_first_page_is_found(terminal: Terminal, new_payment: NewPayment) -> None:
    payment = new_payment()
    transaction_id = pay(terminal, payment).transaction_id
    for _ in range(101):
        by_hand = {"transaction_id": transaction_id, "amount_minor": 1}
        terminal.twin.send("POST", "/_twin/refunds", json=by_hand).raise_for_status()
    refund = refund_of(payment, transaction_id, 5)
    terminal.client.refund(refund)
    assert outcome_of(find_refund_today(terminal, refund)).amount_minor == 5


def test_a_refused_connection_is_not_sent_and_says_nothing_about_a_look_up(
    terminal: Terminal, new_payment: NewPayment
) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        nowhere = replace(terminal.account, api_url=f"http://127.0.0.1:{closed.getsockname()[1]}/")
        client = CloudPaymentsClient(nowhere)
        payment = new_payment()
        assert client.create_payment(payment).kind is OutcomeKind.NOT_SENT
        assert client.refund(refund_of(payment, "1", 1)).kind is OutcomeKind.NOT_SENT
        assert outcome_of(client.find_payment(payment.attempt_id)).kind is OutcomeKind.UNKNOWN
        client.close()


def test_wrong_credentials_are_a_definite_no_but_prove_nothing_in_a_look_up(
    terminal: Terminal, new_payment: NewPayment
) -> None:
    client = CloudPaymentsClient(replace(terminal.account, secret="wrong"))
    declined = client.create_payment(new_payment())
    assert declined.decline is not None
    assert (declined.kind, declined.decline.code) == (OutcomeKind.DECLINED, "http_401")
    assert outcome_of(client.find_payment(uuid.uuid4())).kind is OutcomeKind.UNKNOWN
    client.close()


def test_calls_above_the_providers_cap_are_unknown(terminal: Terminal) -> None:
    terminal.twin.script({"point": "payments/find", "kind": "slow", "times": 10, "milliseconds": 500})
    other = CloudPaymentsClient(terminal.account, answer_timeout_seconds=5)
    clients = [terminal.client] * 5 + [other] * 5
    barrier = threading.Barrier(10)

    def look(client: CloudPaymentsClient) -> LookUp:
        barrier.wait()
        return client.find_payment(uuid.uuid4())

    with ThreadPoolExecutor(10) as pool:
        results = [*pool.map(look, clients)]
    other.close()
    causes = [result.cause for result in results if isinstance(result, Outcome)]
    assert causes == ["http_429"] * 5
    assert results.count(NOT_FOUND) == 5


def test_one_client_keeps_itself_under_the_cap(terminal: Terminal) -> None:
    terminal.twin.script({"point": "payments/find", "kind": "slow", "times": 10, "milliseconds": 50})
    with ThreadPoolExecutor(10) as pool:
        results = [*pool.map(terminal.client.find_payment, [uuid.uuid4() for _ in range(10)])]
    assert results == [NOT_FOUND] * 10


def test_authorization_is_the_published_vector() -> None:
    session = open_session("pk_test_0001", "cp_test_api_secret_0001", is_test=True)
    request = session.prepare_request(requests.Request("POST", "http://127.0.0.1/test"))
    session.close()
    expected = "Basic cGtfdGVzdF8wMDAxOmNwX3Rlc3RfYXBpX3NlY3JldF8wMDAx"
    assert request.headers["Authorization"] == expected


def test_calls_inherited_from_the_package_work_over_the_same_wire(
    terminal: Terminal, new_payment: NewPayment
) -> None:
    paid = pay(terminal, new_payment())
    assert paid.transaction_id is not None
    api = CloudPaymentsApi(terminal.account)
    transaction = api.get_transaction(int(paid.transaction_id))
    assert transaction.amount == Decimal("1490.50")
    assert api.test()
    api.close()


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/\r\nContent-Length: 0\r\n\r\n", "http_302"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{}", "connection_lost"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", "odd_envelope"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnull", "odd_envelope"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "not_json"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n" + b"[" * 60_000, "not_json"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n" + b"1" * 5_000_000, "answer_too_large"),
        (b"", "connection_lost"),
        (b"nonsense\r\n\r\n", "connection_lost"),
    ],
)
def test_whatever_else_comes_back_is_unknown(
    terminal: Terminal, new_payment: NewPayment, answer: bytes, cause: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer_once() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                try:
                    connection.sendall(answer)
                    connection.shutdown(socket.SHUT_WR)
                    connection.recv(65536)
                except OSError:
                    pass  # the client may hang up first, as it does over its answer limit

        thread = threading.Thread(target=answer_once)
        thread.start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        client = CloudPaymentsClient(replace(terminal.account, api_url=url), answer_timeout_seconds=5)
        outcome = client.create_payment(new_payment())
        client.close()
        thread.join()
    assert (outcome.kind, outcome.cause) == (OutcomeKind.UNKNOWN, cause)


def test_a_dripping_answer_ends_at_the_deadline(terminal: Terminal, new_payment: NewPayment) -> None:
    done = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
                while not done.wait(0.05):
                    connection.sendall(b" ")

        thread = threading.Thread(target=drip)
        thread.start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        client = CloudPaymentsClient(replace(terminal.account, api_url=url), answer_timeout_seconds=0.4)
        outcome = client.create_payment(new_payment())
        done.set()
        client.close()
        thread.join()
    assert (outcome.kind, outcome.cause) == (OutcomeKind.UNKNOWN, "read_timeout")


def test_errors_and_reprs_hold_no_secret(terminal: Terminal) -> None:
    account = replace(terminal.account, secret="canary-5")
    api = CloudPaymentsApi(account)
    with pytest.raises(CallFailed) as raised:
        api.test()
    api.close()
    assert "canary-5" not in repr(raised.value) + str(raised.value) + repr(account) + repr(api)
