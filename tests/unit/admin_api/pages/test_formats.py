import pytest

from admin_api.pages.formats import NotAnAmount, money_text, read_amount, typed_amount


@pytest.mark.parametrize(
    ("typed", "amount_minor"),
    [
        ("1 490,50", 149_050),
        ("1490.5", 149_050),
        ("1\u00a0490,50", 149_050),
        ("1,490.50", 149_050),
        ("1490", 149_000),
        ("0,01", 1),
        ("0", 0),
        ("12,345.00", 1_234_500),
    ],
)
def test_an_amount_is_read_as_people_write_it(typed: str, amount_minor: int) -> None:
    assert read_amount(typed, "RUB") == amount_minor


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "-5",
        "+5",
        "1490,555",
        "12,345",
        "1.490,50",
        "abc",
        "1e3",
        "１２",
        "NaN",
        "1 490,50 ₽",
        "5,",
        ",5",
        "9" * 13,
    ],
)
def test_what_is_no_amount_is_refused(typed: str) -> None:
    with pytest.raises(NotAnAmount):
        read_amount(typed, "RUB")


def test_a_currency_without_minor_units_takes_no_fraction() -> None:
    assert read_amount("1490", "JPY") == 1490
    with pytest.raises(NotAnAmount):
        read_amount("1490,5", "JPY")


@pytest.mark.parametrize("language", ["ru", "en"])
@pytest.mark.parametrize("amount_minor", [1, 100, 149_050, 123_456_789_00])
def test_what_a_form_shows_is_read_back(language: str, amount_minor: int) -> None:
    assert read_amount(typed_amount(amount_minor, "RUB", language), "RUB") == amount_minor  # type: ignore[arg-type]


def test_money_is_written_in_the_language_of_the_person() -> None:
    assert money_text(149_050, "RUB", "ru").replace("\u00a0", " ") == "1 490,50 ₽"
    assert money_text(149_050, "USD", "en") == "$1,490.50"
    assert money_text(-149_050, "RUB", "en").replace("\u00a0", " ") == "-RUB 1,490.50"
