from uuid import UUID

import pytest

from providers.port import PaymentRequest, ProviderAccount

SECRET = "cp_test_api_secret_0001"


@pytest.fixture
def account() -> ProviderAccount:
    return ProviderAccount(
        account_id=UUID(int=1),
        provider="cloudpayments",
        public_id="pk_test_0001",
        secret=SECRET,
        api_url="http://127.0.0.1:1/",
        widget_script_url="http://127.0.0.1:1/bundles/cloudpayments.js",
        is_test=True,
    )


@pytest.fixture
def payment_request() -> PaymentRequest:
    return PaymentRequest(
        attempt_id=UUID(int=42),
        request_id="r-1",
        amount_minor=149_000,
        currency="RUB",
        description="Тариф <Pro> & друзья",
        customer_reference="user-7",
        return_url="https://studio.example/pay/done",
    )
