"""The twin's payer side, its callbacks and its books, read with the product's own callback reader."""

from collections.abc import Callable, Iterator
from urllib.parse import quote

import pytest

from providers.cloudpayments.widget import widget_json, widget_parameters
from providers.port import BadSignature, PaymentRequest
from tests.contract.providers.terminals import Shop, Terminal, Twin, open_terminal, refund_of, until

NewPayment = Callable[[], PaymentRequest]


@pytest.fixture(params=["form", "json"])
def any_terminal(request: pytest.FixtureRequest, twin: Twin, shop: Shop) -> Iterator[Terminal]:
    terminal = open_terminal(twin, shop, body_format=request.param)
    yield terminal
    terminal.client.close()


def test_check_pay_and_refund_arrive_signed_and_exact(
    any_terminal: Terminal, new_payment: NewPayment
) -> None:
    terminal, payment = any_terminal, new_payment()
    terminal.press(terminal.client.create_payment(payment).redirect_url)
    until(lambda: terminal.shop.kinds() == ["check", "pay"], "check and pay")
    check, pay = (terminal.read(heard) for heard in terminal.shop.heard)
    assert check.transaction_id == pay.transaction_id
    assert (pay.amount_minor, pay.currency, pay.status) == (149_050, "RUB", "Completed")
    assert pay.attempt_reference == str(payment.attempt_id)
    assert (pay.customer_reference, pay.is_test) == ("user+7@example.ru", True)

    refund = refund_of(payment, pay.transaction_id, 1_000)
    terminal.client.refund(refund)
    until(lambda: len(terminal.shop.heard) == 3, "refund")
    told = terminal.read(terminal.shop.heard[2])
    assert (told.payment_transaction_id, told.refund_reference) == (pay.transaction_id, str(refund.refund_id))
    assert told.amount_minor == 1_000


@pytest.mark.parametrize(
    ("answer", "reason_code"),
    [
        ((200, b'{"code":10}'), "3001"),
        ((200, b'{"code":11}'), "3002"),
        ((200, b'{"code":12}'), "3003"),
        ((200, b'{"code":13}'), "3008"),
        ((200, b'{"code":20}'), "3004"),
        ((200, b"nothing"), "3005"),
        ((400, b'{"code":0}'), "3005"),
        ((503, b""), "3006"),
    ],
)
def test_a_check_that_is_not_allowed_moves_no_money(
    terminal: Terminal, new_payment: NewPayment, answer: tuple[int, bytes], reason_code: str
) -> None:
    terminal.shop.answers["check"] = [answer]
    terminal.press(terminal.client.create_payment(new_payment()).redirect_url)
    until(lambda: terminal.shop.kinds() == ["check", "fail"], "fail")
    assert terminal.read(terminal.shop.heard[1]).reason_code == reason_code
    assert terminal.ledger()["captures"] == []


def test_a_declined_page_can_be_paid_afterwards_but_only_once(
    terminal: Terminal, new_payment: NewPayment
) -> None:
    url = terminal.client.create_payment(new_payment()).redirect_url
    assert "Недостаточно средств" in terminal.press(url, "decline").text
    assert "Оплачено" in terminal.press(url).text
    terminal.press(url)
    books = terminal.ledger()
    assert (len(books["declines"]), len(books["captures"])) == (1, 1)


def test_a_callback_is_repeated_until_it_is_answered_with_code_zero(
    terminal: Terminal, new_payment: NewPayment
) -> None:
    terminal.shop.answers["pay"] = [(500, b""), (200, b"{}"), (200, b'{"code":13}')]
    terminal.press(terminal.client.create_payment(new_payment()).redirect_url)
    until(lambda: terminal.ledger()["callbacks"][0]["state"] == "delivered", "delivery")
    assert terminal.shop.kinds() == ["check", "pay", "pay", "pay", "pay"]
    assert len({heard.body for heard in terminal.shop.heard[1:]}) == 1


def test_the_payers_page_shows_text_as_text_under_a_strict_policy(
    terminal: Terminal, new_payment: NewPayment
) -> None:
    url = terminal.client.create_payment(new_payment()).redirect_url
    assert url is not None
    page = terminal.twin.send("GET", url.removeprefix(terminal.twin.url))
    assert "&lt;b&gt;друзья&lt;/b&gt;" in page.text
    assert "1\u00a0490,50" in page.text
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    paid = terminal.press(url).text
    assert 'href="https://studio.example/pay/done?a=1&amp;b=2"' in paid


def test_widget_parameters_open_one_page_for_one_attempt(terminal: Terminal, new_payment: NewPayment) -> None:
    payment = new_payment()
    intent = quote(widget_json(widget_parameters(terminal.account, payment)))
    pages = {
        terminal.twin.send("GET", f"/widget/start?intent={intent}").headers["Location"] for _ in range(2)
    }
    assert len(pages) == 1
    terminal.press(terminal.twin.url + pages.pop())
    captures = terminal.ledger()["captures"]
    assert [(row["invoice_id"], row["amount_minor"]) for row in captures] == [
        (str(payment.attempt_id), 149_050)
    ]


@pytest.mark.parametrize("intent", ["", "[]", "{}", "{", '{"publicTerminalId":"nobody","amount":1}'])
def test_odd_widget_parameters_show_that_there_is_no_page(twin: Twin, intent: str) -> None:
    assert twin.send("GET", f"/widget/start?intent={quote(intent)}").status_code == 404


def test_the_script_is_served_for_the_pay_page(twin: Twin) -> None:
    script = twin.send("GET", "/bundles/cloudpayments.js")
    assert script.headers["Content-Type"].startswith("text/javascript")
    assert "CloudPayments" in script.text


def test_the_fault_script_bends_callbacks(terminal: Terminal, new_payment: NewPayment) -> None:
    def kinds_after(kind: str, expected: list[str], **more: int) -> None:
        terminal.shop.heard.clear()
        terminal.twin.script({"point": "callback/pay", "kind": kind, **more})
        terminal.press(terminal.client.create_payment(new_payment()).redirect_url)
        until(lambda: terminal.shop.kinds() == expected, f"{kind}: {expected}")

    kinds_after("callback_twice", ["check", "pay", "pay"])
    kinds_after("callback_late", ["check", "pay"], milliseconds=200)
    kinds_after("callback_lost", ["check"])
    terminal.twin.send("POST", "/_twin/callbacks/deliver", json={"everything": True}).raise_for_status()
    assert terminal.shop.kinds() == ["check"]


def test_a_forged_callback_is_not_believed(terminal: Terminal, new_payment: NewPayment) -> None:
    terminal.twin.script({"point": "callback/pay", "kind": "forged_callback"})
    terminal.press(terminal.client.create_payment(new_payment()).redirect_url)
    until(lambda: len(terminal.shop.heard) == 3, "the true and the forged one")
    believed = []
    for heard in terminal.shop.heard[1:]:
        try:
            believed.append(terminal.read(heard).amount_minor)
        except BadSignature:
            continue
    assert believed == [149_050]


def test_callbacks_can_come_out_of_order(terminal: Terminal, new_payment: NewPayment) -> None:
    terminal.twin.script({"point": "callback/fail", "kind": "callbacks_out_of_order"})
    url = terminal.client.create_payment(new_payment()).redirect_url
    terminal.press(url, "decline")
    terminal.press(url)
    until(lambda: terminal.shop.kinds() == ["check", "check", "pay", "fail"], "pay before fail")


def test_a_callback_can_come_before_the_answer(terminal: Terminal, new_payment: NewPayment) -> None:
    payment = new_payment()
    terminal.press(terminal.client.create_payment(payment).redirect_url)
    until(lambda: terminal.shop.kinds() == ["check", "pay"], "pay")
    terminal.twin.script({"point": "payments/refund", "kind": "callback_before_answer"})
    terminal.client.refund(refund_of(payment, terminal.ledger()["captures"][0]["transaction_id"], 1))
    assert terminal.shop.kinds() == ["check", "pay", "refund"]


def test_one_page_can_be_paid_twice_on_request(terminal: Terminal, new_payment: NewPayment) -> None:
    terminal.twin.script({"point": "page/pay", "kind": "pay_twice"})
    terminal.press(terminal.client.create_payment(new_payment()).redirect_url)
    until(lambda: terminal.shop.kinds() == ["check", "pay", "pay"], "two pays")
    assert len({row["transaction_id"] for row in terminal.ledger()["captures"]}) == 2


def test_kill_9_loses_no_money_no_order_and_no_callback(
    own_twin: Twin, shop: Shop, new_payment: NewPayment
) -> None:
    terminal = open_terminal(own_twin, shop)
    payment, unpaid = new_payment(), new_payment()
    shop.answers["pay"] = [(500, b"")] * 100
    terminal.press(terminal.client.create_payment(payment).redirect_url)
    left_open = terminal.client.create_payment(unpaid).redirect_url
    before = terminal.ledger()
    own_twin.kill()
    with (own_twin.state / "ledger.jsonl").open("ab") as ledger:
        ledger.write(b'{"kind":"capture","torn')
    shop.answers.clear()
    own_twin.start()

    after = terminal.ledger()
    assert after["captures"] == before["captures"]
    assert after["orders"] == before["orders"]
    assert terminal.client.create_payment(unpaid).redirect_url == left_open
    until(lambda: terminal.ledger()["callbacks"][0]["state"] == "delivered", "delivery after the restart")
    terminal.press(left_open)
    ids = [row["transaction_id"] for row in terminal.ledger()["captures"]]
    assert len({*ids}) == 2
    terminal.client.close()


def test_the_books_hold_no_secret(terminal: Terminal) -> None:
    assert terminal.account.secret not in terminal.twin.send("GET", "/_twin/ledger").text
