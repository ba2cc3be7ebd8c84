"""Forms: only one that this server made for this sign-in and this path is taken back.

The form's key is also the request's Idempotency-Key: a form that is sent twice is one command. Called by the
pages around every POST.
"""

import hmac
import re
from dataclasses import dataclass
from typing import Final
from uuid import uuid4

from admin_api.desk import Desk, Services
from web.problems import Problem

_KEY: Final = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class FormToken:
    """Two hidden fields of a form."""

    key: str
    token: str


def new_form(services: Services, desk: Desk, path: str) -> FormToken:
    """For a form that will be posted to `path`."""
    key = uuid4().hex
    return FormToken(key, _sign(services, desk, path, key))


def check_form(services: Services, desk: Desk, path: str, key: str, token: str) -> None:
    """Raises Problem 403 `form_expired` for a form of another sign-in, another path, or nobody's."""
    is_one = _KEY.fullmatch(key) is not None and token.isascii()
    if not is_one or not hmac.compare_digest(_sign(services, desk, path, key), token):
        raise Problem(403, "form_expired")


def _sign(services: Services, desk: Desk, path: str, key: str) -> str:
    message = "\x1f".join(("form", str(desk.person.session_id), path, key)).encode()
    return hmac.digest(services.settings.form_key.get_secret_value().encode(), message, "sha256").hex()
