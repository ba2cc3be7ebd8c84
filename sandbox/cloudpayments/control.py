"""The control side under /_twin/: sites, the books as JSON, the fault script, cabinet refunds, deliveries.

Mounted by `app`; used by demos, tests and the comparison of books. It is no part of the provider's wire.
"""

from dataclasses import asdict
from typing import Annotated, Literal

from fastapi import APIRouter, HTTPException
from pydantic import BaseModel, ConfigDict, Field, field_validator

from sandbox.cloudpayments.faults import FAULT_KINDS
from sandbox.cloudpayments.operations import Desk, make_refund
from sandbox.cloudpayments.records import CallbackName, Fault, Site, Transaction


class SiteIn(BaseModel):
    """A terminal, as the control side sets it."""

    model_config = ConfigDict(extra="forbid")
    secret: str = Field(min_length=1, repr=False)
    is_test: bool = True
    format: Literal["form", "json"] = "form"
    callbacks: dict[CallbackName, str] = {}


class FaultIn(BaseModel):
    """One line of the fault script."""

    model_config = ConfigDict(extra="forbid")
    point: str
    kind: str
    times: Annotated[int, Field(ge=1, le=1000)] = 1
    milliseconds: Annotated[int, Field(ge=0, le=120_000)] = 0

    @field_validator("kind")
    @classmethod
    def _known(cls, kind: str) -> str:
        if kind not in FAULT_KINDS:
            raise ValueError(f"kind is one of {', '.join(sorted(FAULT_KINDS))}")
        return kind


class FaultsIn(BaseModel):
    """The whole script."""

    faults: Annotated[list[FaultIn], Field(max_length=100)]


class RefundIn(BaseModel):
    """A refund made by hand in the provider's cabinet."""

    transaction_id: int
    amount_minor: Annotated[int, Field(gt=0)]


class DeliverIn(BaseModel):
    """What to deliver now."""

    everything: bool = False


def control_router(desk: Desk) -> APIRouter:
    """Give the control routes over one desk."""
    router = APIRouter()

    @router.put("/_twin/sites/{public_id}")
    def put_site(public_id: str, given: SiteIn) -> dict[str, bool]:
        callbacks = {str(name): address for name, address in given.callbacks.items()}
        site = Site(public_id, given.secret, given.is_test, given.format, callbacks)
        desk.books.record("site_changed", desk.clock(), site=site)
        return {"ok": True}

    @router.get("/_twin/ledger")
    def get_ledger() -> dict[str, object]:
        return ledger_view(desk)

    @router.post("/_twin/faults")
    def post_faults(given: FaultsIn) -> dict[str, int]:
        faults = [Fault(**fault.model_dump()) for fault in given.faults]
        desk.books.record("faults_set", desk.clock(), faults=faults)
        return {"faults": len(faults)}

    @router.post("/_twin/refunds")
    def post_refund(given: RefundIn) -> dict[str, int]:
        return {"transaction_id": _cabinet_refund(desk, given)}

    @router.post("/_twin/callbacks/deliver")
    def post_deliver(given: DeliverIn | None = None) -> dict[str, int]:
        return {"tried": desk.courier.deliver_due(everything=bool(given and given.everything))}

    @router.get("/healthz")
    def get_health() -> dict[str, bool]:
        return {"ok": True}

    return router


def ledger_view(desk: Desk) -> dict[str, object]:
    """Give the books without secrets and without signed bodies."""
    books = desk.books
    with books.lock:
        rows = [*books.transactions.values()]
        return {
            "captures": [_operation(row) for row in rows if _is_capture(row)],
            "declines": [_operation(row) for row in rows if row.status == "Declined"],
            "refunds": [_operation(row) for row in rows if row.operation == "Refund"],
            "orders": [asdict(row) for row in books.orders.values()],
            "callbacks": [{**asdict(row), "body": None} for row in books.callbacks.values()],
            "requests": [*books.requests],
            "violations": [*books.violations],
            "faults": [asdict(row) for row in books.faults],
        }


def _is_capture(row: Transaction) -> bool:
    return row.operation == "Payment" and row.status == "Completed"


def _operation(row: Transaction) -> dict[str, object]:
    """Name a refund's payment as its callback does, and give ids as text, as the product keeps them."""
    view = asdict(row)
    original = view.pop("original_id")
    payment_id = None if original is None else str(original)
    return {**view, "transaction_id": str(row.transaction_id), "payment_transaction_id": payment_id}


def _cabinet_refund(desk: Desk, given: RefundIn) -> int:
    with desk.books.lock:
        payment = desk.books.transactions.get(given.transaction_id)
        if payment is None:
            raise HTTPException(404, "no such payment")
        site = desk.books.sites[payment.public_id]
        transaction_id = str(given.transaction_id)
        effect = make_refund(desk, site, transaction_id, given.amount_minor, "", by_api=False)
        if effect.transaction is None:
            raise HTTPException(409, str(effect.answer["Message"]))
        desk.books.record(
            effect.kind, desk.clock(), transaction=effect.transaction, callbacks=effect.callbacks
        )
    desk.courier.wake()
    return effect.transaction.transaction_id
