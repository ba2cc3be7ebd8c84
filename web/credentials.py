"""What people sign in with, as fields of bodies that every API shares."""

import re
from typing import Annotated, Final

from pydantic import Field, SecretStr

PASSWORD_LENGTH_MIN: Final = 8
PASSWORD_LENGTH_MAX: Final = 128
_EMAIL: Final = r"^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,183}[A-Za-z0-9])?$"

Email = Annotated[str, Field(pattern=_EMAIL, examples=["anna@example.org"])]
# Long passwords are slow to hash: the bound is against that, not against good passwords.
Password = Annotated[SecretStr, Field(max_length=PASSWORD_LENGTH_MAX, examples=["correct horse battery"])]
NewPassword = Annotated[
    SecretStr,
    Field(min_length=PASSWORD_LENGTH_MIN, max_length=PASSWORD_LENGTH_MAX, examples=["correct horse battery"]),
]


def same_email(email: str) -> str:
    """The form in which an address is stored and counted: surrounding spaces and case mean nothing."""
    return email.strip().lower()


def is_email(email: str) -> bool:
    """Whether anybody can be called so here: what no body lets in, no form and no command line does."""
    return re.fullmatch(_EMAIL, email) is not None
