"""Fields that the bodies of several actions share, each with how a form draws it."""

from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import AfterValidator, AnyHttpUrl, Field, SecretStr, StringConstraints, TypeAdapter

from admin_api.actions.action import widget
from bus.messages import AmountMinor as Amount
from web.fields import Body
from web.strict import storable

URL_LENGTH_LIMIT: Final = 2_000
_URL: Final = TypeAdapter(AnyHttpUrl)


def _one_line(text: str) -> str:
    if not text.isprintable():
        raise ValueError("a line of printable characters")
    return text


def _plain_address(url: str) -> str:
    """An absolute http(s) address that carries no credentials and no fragment, as it was given."""
    parsed = _URL.validate_python(url)
    if parsed.username or parsed.password or parsed.fragment or not url.isascii():
        raise ValueError("an address without credentials")
    return url


class Nothing(Body):
    """No fields: the button says it all."""


def _text(min_length: int, max_length: int) -> StringConstraints:
    return StringConstraints(strip_whitespace=True, min_length=min_length, max_length=max_length)


Line = Annotated[str, _text(1, 200), AfterValidator(_one_line), Field(json_schema_extra=widget("text"))]
Reason = Annotated[
    str,
    _text(1, 500),
    AfterValidator(storable),
    Field(json_schema_extra=widget("area"), examples=["Выставлен дважды"]),
]
Remark = Annotated[str, _text(0, 500), AfterValidator(storable), Field(json_schema_extra=widget("area"))]
LongText = Annotated[str, _text(0, 4_000), AfterValidator(storable), Field(json_schema_extra=widget("area"))]
NoteText = Annotated[str, _text(1, 4_000), AfterValidator(storable), Field(json_schema_extra=widget("area"))]
AmountMinor = Annotated[Amount, Field(json_schema_extra=widget("money"), examples=[149_000])]
PriceId = Annotated[UUID, Field(json_schema_extra=widget("pick:prices"))]
Flag = Annotated[bool, Field(json_schema_extra=widget("flag"))]
Locale = Annotated[Literal["ru", "en"], Field(json_schema_extra=widget("choice"))]
Address = Annotated[
    str,
    _text(1, URL_LENGTH_LIMIT),
    AfterValidator(_plain_address),
    Field(json_schema_extra=widget("text"), examples=["https://api.provider.example"]),
]
Secret = Annotated[SecretStr, Field(min_length=1, max_length=500, json_schema_extra=widget("secret"))]
