"""The provider's twin from behind: its books, and the faults it is asked to make.

Called by the story. What a payer sees of it is `demo.payer`'s.
"""

from typing import Any

import httpx

from demo.client import Json
from demo.expectations import StepFailed

TWIN_SECONDS_MAX = 10.0
# How somebody who was not told finds out about a payment; the worker asks a few times.
QUESTIONS, QUESTIONS_MAX = ("payments/find", "payments/get"), 1_000


class Twin:
    """The control side of one twin."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")

    @property
    def url(self) -> str:
        return self._url

    def callbacks(self, attempt_id: str) -> list[Json]:
        """The provider's notifications about one attempt to pay, as it keeps them."""
        return [row for row in self._ledger()["callbacks"] if row["invoice_id"] == attempt_id]

    def given_back_minor(self, attempt_ids: list[str]) -> int:
        """How much of the money of these attempts it has given back."""
        ledger = self._ledger()
        taken = {row["transaction_id"] for row in ledger["captures"] if row["invoice_id"] in attempt_ids}
        return sum(row["amount_minor"] for row in ledger["refunds"] if row["payment_transaction_id"] in taken)

    def keep_quiet(self, times: int) -> None:
        """The next `times` payments are taken, and nobody hears of them until `speak`, told or asking."""
        faults = [{"point": "callback/pay", "kind": "callbacks_out_of_order", "times": times}] + [
            {"point": question, "kind": "error_500_before_effect", "times": QUESTIONS_MAX}
            for question in QUESTIONS
        ]
        self._call("POST", "/_twin/faults", {"faults": faults})

    def speak(self) -> int:
        """Tells all that has not been told, and answers again; how many callbacks that were."""
        self._call("POST", "/_twin/faults", {"faults": []})
        tried: int = self._call("POST", "/_twin/callbacks/deliver", {"everything": True})["tried"]
        return tried

    def _ledger(self) -> dict[str, list[Json]]:
        ledger: dict[str, list[Json]] = self._call("GET", "/_twin/ledger")
        return ledger

    def _call(self, method: str, path: str, body: Json | None = None) -> Any:
        url = f"{self._url}{path}"
        try:
            answer = httpx.request(method, url, json=body, timeout=TWIN_SECONDS_MAX, trust_env=False)
            return answer.raise_for_status().json()
        except httpx.HTTPError as error:
            raise StepFailed(f"the twin at {url}", repr(error)) from error
