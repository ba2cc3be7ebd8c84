import json
from decimal import Decimal

from providers.cloudpayments.widget import widget_json, widget_parameters
from providers.port import PaymentRequest, ProviderAccount


def test_the_widget_is_told_the_attempt_and_the_exact_amount(
    account: ProviderAccount, payment_request: PaymentRequest
) -> None:
    parameters = json.loads(widget_json(widget_parameters(account, payment_request)), parse_float=Decimal)
    assert parameters["publicTerminalId"] == "pk_test_0001"
    assert parameters["externalId"] == str(payment_request.attempt_id)
    assert str(parameters["amount"]) == "1490.00"
    assert parameters["userInfo"] == {"accountId": "user-7"}
    assert parameters["successRedirectUrl"] == payment_request.return_url


def test_the_text_can_stand_in_a_script_element(
    account: ProviderAccount, payment_request: PaymentRequest
) -> None:
    text = widget_json(widget_parameters(account, payment_request))
    assert not set("<>&") & set(text)
    assert json.loads(text)["description"] == payment_request.description


def test_no_secret_reaches_the_browser(account: ProviderAccount, payment_request: PaymentRequest) -> None:
    assert account.secret not in widget_json(widget_parameters(account, payment_request))
