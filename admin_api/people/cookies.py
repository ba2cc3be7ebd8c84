"""The browser's cookie: what it is called, how it is set, how it is forgotten.

It goes to this host alone, over TLS, on requests that this site itself makes, and no script reads it.
"""

from typing import Final

from fastapi import Request, Response

from admin_api.people.sign_in import SIGN_IN_LIFETIME
from admin_api.people.tokens import SignedIn
from runtime.settings import AdminSettings

COOKIE_NAME: Final = "billbus_admin"
# A browser takes a name with this prefix only from this very host, over TLS, for the whole of it: a
# neighboring host cannot plant a sign-in.
HOST_PREFIX: Final = "__Host-"


def cookie_name(settings: AdminSettings) -> str:
    return f"{HOST_PREFIX}{COOKIE_NAME}" if settings.secure_cookies else COOKIE_NAME


def find_cookie(request: Request, settings: AdminSettings) -> str | None:
    """The token that the browser shows, not yet looked up."""
    return request.cookies.get(cookie_name(settings))


def set_cookie(response: Response, settings: AdminSettings, signed_in: SignedIn) -> None:
    """Puts a new sign-in into the browser."""
    response.set_cookie(
        cookie_name(settings),
        signed_in.token,
        max_age=int(SIGN_IN_LIFETIME.total_seconds()),
        path="/",
        secure=settings.secure_cookies,
        httponly=True,
        samesite="strict",
    )


def forget_cookie(response: Response, settings: AdminSettings) -> None:
    """After signing out; the sign-in itself is ended by `sign_out`."""
    response.delete_cookie(
        cookie_name(settings), path="/", secure=settings.secure_cookies, httponly=True, samesite="strict"
    )
