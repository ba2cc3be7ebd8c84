"""Providers' callbacks: verified over the raw bytes, stored once with their command, and answered.

Nothing here needs the bus: a callback is heard when it is stored. What is not proven to come from the
provider changes nothing and is counted.
"""

from typing import Annotated, Final
from uuid import UUID

import structlog
from fastapi import APIRouter, Depends, Request, Response
from sqlalchemy import Connection

from bus.messages import AMOUNT_LIMIT_MINOR, Command, RecordPaymentOutcome
from bus.port import Envelope
from client_api.admission import answer_check
from client_api.outcomes import command_of, named_attempt, reason_to_set_aside
from client_api.queries.callbacks import (
    find_account,
    find_correlation_id,
    find_studio_of_account,
    store_callback,
)
from client_api.services import Services, ServicesOf
from kit.ids import derived_id, new_id
from providers.cloudpayments.answers import check_body
from providers.cloudpayments.callbacks import read_callback
from providers.port import (
    BadSignature,
    Callback,
    CallbackKind,
    CheckAnswer,
    ProviderAccount,
    UnreadableCallback,
)
from runtime.crash_points import crash_point
from runtime.logging import bind
from runtime.metrics import CALLBACK_SIGNATURE_FAILURES, CALLBACKS
from storage.database import enter_studio, tenant
from storage.journal import accept
from storage.sealing import unseal
from web.edge import CorrelationId
from web.problems import Problem, not_found

PROVIDER: Final = "cloudpayments"
SIGNATURE_LENGTH_LIMIT: Final = 200
# To pay, fail and refund once stored, also when order or amount do not match: money has moved.
HEARD: Final = check_body(CheckAnswer.ACCEPTED)

log = structlog.get_logger(__name__)

# Shown from the start: only then is the first failure a rise.
CALLBACK_SIGNATURE_FAILURES.labels(PROVIDER)

router = APIRouter(tags=["callbacks"])


async def get_raw_body(request: Request) -> bytes:
    return await request.body()


@router.post(
    "/callbacks/cloudpayments/{provider_account}/{kind}",
    operation_id="cloudpayments_callback",
    summary="CloudPayments tells us something",
    responses={401: {"description": "Not signed by the provider"}, 422: {"description": "Unreadable"}},
)
def cloudpayments(
    provider_account: UUID,
    kind: CallbackKind,
    request: Request,
    raw_body: Annotated[bytes, Depends(get_raw_body)],
    services: ServicesOf,
    trace: CorrelationId,
) -> Response:
    """`check` asks before money moves; `pay`, `fail` and `refund` tell what has happened."""
    studio_id, account = _find_signer(services, provider_account, kind)
    with bind(studio_id=studio_id):
        callback = _verified(account, kind, request, raw_body)
        if kind is CallbackKind.CHECK:
            decided = answer_check(services, studio_id, account, callback)
            log.info("check answered", answer=decided.value)
            answer = check_body(decided)
        else:
            answer = HEARD
            heard = _Heard(studio_id, account, callback, raw_body, _signature(request), trace)
            services.outlet.publish(heard.store(services))
    return Response(answer, media_type="application/json")


def _find_signer(services: Services, account_id: UUID, kind: CallbackKind) -> tuple[UUID, ProviderAccount]:
    """Whose callback this claims to be. Raises Problem 404."""
    sealed = None
    with services.engine.begin() as connection:
        studio_id = find_studio_of_account(connection, account_id)
        if studio_id is not None:
            enter_studio(connection, studio_id)
            sealed = find_account(connection, account_id, PROVIDER)
    if studio_id is not None and sealed is not None:
        key = services.settings.sealing_key.get_secret_value()
        return studio_id, sealed.opened(unseal(key, sealed.sealed_secret))
    CALLBACKS.labels(kind.value, "unknown_account").inc()
    raise not_found()


def _verified(account: ProviderAccount, kind: CallbackKind, request: Request, raw_body: bytes) -> Callback:
    """Raises Problem 401, 422. Neither is the provider's word for "heard", so it will repeat them."""
    try:
        callback = read_callback(account, kind, dict(request.headers), raw_body)
        if callback.amount_minor > AMOUNT_LIMIT_MINOR:
            raise UnreadableCallback("amount is beyond what a message may carry")
        return callback
    except BadSignature:
        CALLBACK_SIGNATURE_FAILURES.labels(PROVIDER).inc()
        CALLBACKS.labels(kind.value, "bad_signature").inc()
        log.warning("callback is not signed by its provider", provider=PROVIDER, type=kind.value)
        raise Problem(401, "bad_signature") from None
    except UnreadableCallback as error:
        CALLBACKS.labels(kind.value, "unreadable").inc()
        log.error("signed callback is unreadable", provider=PROVIDER, type=kind.value, reason=str(error))
        raise Problem(422, "unreadable_callback") from None


class _Heard:
    """One notification on its way into storage."""

    def __init__(
        self,
        studio_id: UUID,
        account: ProviderAccount,
        callback: Callback,
        raw_body: bytes,
        signature: str,
        trace: str,
    ) -> None:
        self._studio_id = studio_id
        self._account = account
        self._callback = callback
        self._raw_body = raw_body
        self._signature = signature
        self._trace = trace

    def store(self, services: Services) -> Envelope | None:
        """One transaction: the callback and its command. None for a repeat and for what is set aside."""
        set_aside = reason_to_set_aside(self._callback, self._account.is_test)
        with tenant(services.engine, self._studio_id) as connection:
            inbox_id = new_id()
            is_new = self._store_row(connection, inbox_id, set_aside)
            envelope = self._accept(connection, inbox_id) if is_new and set_aside is None else None
            crash_point("before_callback_commit")
        crash_point("after_callback_commit")
        result = (set_aside or "stored") if is_new else "repeated"
        CALLBACKS.labels(self._callback.kind.value, result).inc()
        log.info("callback heard", type=self._callback.kind.value, result=result)
        return envelope

    @property
    def _command_id(self) -> UUID:
        return derived_id("callback", self._account.account_id, self._callback.deduplication_hash.hex())

    def _store_row(self, connection: Connection, inbox_id: UUID, set_aside: str | None) -> bool:
        return store_callback(
            connection,
            inbox_id=inbox_id,
            studio_id=self._studio_id,
            account_id=self._account.account_id,
            callback=self._callback,
            body=self._raw_body,
            signature=self._signature,
            command_id=None if set_aside else self._command_id,
            set_aside=set_aside,
        )

    def _accept(self, connection: Connection, inbox_id: UUID) -> Envelope | None:
        command = command_of(connection, self._studio_id, self._account.account_id, self._callback)
        accepted = accept(
            connection,
            command,
            command_id=self._command_id,
            request_hash=self._callback.deduplication_hash,
            principal=f"callback:{inbox_id}",
            correlation_id=self._story(connection, command) or self._trace,
            causation_id=inbox_id,
        )
        return accepted.envelope

    def _story(self, connection: Connection, command: Command) -> str | None:
        """Of the request that asked for this refund, else of the one that began the attempt."""
        if isinstance(command, RecordPaymentOutcome):
            return find_correlation_id(connection, command.attempt_id)
        refund = find_correlation_id(connection, getattr(command, "refund_id", None))
        if refund is not None:
            return refund
        attempt = named_attempt(connection, self._account.account_id, self._callback)
        return find_correlation_id(connection, attempt.id if attempt else None)


def _signature(request: Request) -> str:
    headers = request.headers
    return (headers.get("content-hmac") or headers.get("x-content-hmac") or "")[:SIGNATURE_LENGTH_LIMIT]
