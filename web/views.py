"""Shapes of answers that every API shares."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from web.operations import Operation
from web.problems import STATUS_OF_CODE, problem_body

RUBLES: dict[str, JsonValue] = {"amount_minor": 149000, "currency": "RUB"}


class View(BaseModel):
    """What all answers share."""

    model_config = ConfigDict(frozen=True)


class Money(View):
    """A sum in the currency's minor units (kopecks for RUB)."""

    model_config = ConfigDict(frozen=True, json_schema_extra={"example": RUBLES})

    amount_minor: int
    currency: Annotated[str, Field(examples=["RUB"])]


class ProblemView(View):
    """An RFC 9457 problem. `code` is stable; further members are its facts."""

    model_config = ConfigDict(extra="allow")

    type: Annotated[str, Field(examples=["urn:billbus:problem:payment_in_progress"])]
    title: Annotated[str, Field(examples=["A payment is being processed"])]
    status: Annotated[int, Field(examples=[409])]
    code: Annotated[str, Field(examples=["payment_in_progress"])]


class OperationView(View):
    """A command on its way. `parked`: people look into it; its answer may still come."""

    command_id: UUID
    kind: Annotated[str, Field(examples=["StartPayment"])]
    state: Literal["accepted", "applied", "refused", "parked"]
    accepted_at: datetime
    answered_at: datetime | None
    result: dict[str, JsonValue] | None
    problem: ProblemView | None

    @classmethod
    def of(cls, operation: Operation) -> "OperationView":
        return cls.model_validate(
            {
                "command_id": operation.command_id,
                "kind": operation.kind,
                "state": operation.state,
                "accepted_at": operation.accepted_at,
                "answered_at": operation.answered_at,
                "result": operation.result if operation.state == "applied" else None,
                "problem": _problem(operation),
            }
        )


def _problem(operation: Operation) -> dict[str, object] | None:
    # What made a command park is for staff: a sender learns that it is being looked into.
    if operation.state == "parked":
        return problem_body(500, "under_review", {})
    if operation.state != "refused" or operation.problem is None:
        return None
    code = str(operation.problem.get("code", "refused"))
    facts = {name: value for name, value in operation.problem.items() if name != "code"}
    return problem_body(STATUS_OF_CODE.get(code, 409), code, {"facts": facts})
