"""Every sentence of the pages in Russian and English."""

from typing import Final, Literal, TypeAlias

from client_api.pages.booking_words import BOOKING_WORDS

Language: TypeAlias = Literal["ru", "en"]
LANGUAGES: Final[tuple[Language, ...]] = ("ru", "en")
HEADER_LENGTH_LIMIT: Final = 200

# Key: (Russian, English).
_WORDS: Final[dict[str, tuple[str, str]]] = {
    **BOOKING_WORDS,
    "other_language": ("English", "По-русски"),
    "about": (
        "Здесь работает Billbus: залы, подписки, счета и оплата этой студии.",
        "Billbus runs here: halls, subscriptions, invoices and payments of this studio.",
    ),
    "about_more": (
        "Программам — документация API, людям — эта страница.",
        "For programs there is the API documentation, for people this page.",
    ),
    "api_docs": ("Документация API", "API documentation"),
    "demo_sign_in": ("Войти как демо-клиент", "Sign in as the demo customer"),
    "sign_in": ("Войти", "Sign in"),
    "register": ("Зарегистрироваться", "Register"),
    "sign_out": ("Выйти", "Sign out"),
    "email": ("Эл. почта", "E-mail"),
    "password": ("Пароль", "Password"),
    "plans": ("Тарифы", "Plans"),
    "no_plans": ("Пока ничего не продаётся.", "Nothing is for sale yet."),
    "subscribe": ("Подписаться", "Subscribe"),
    "sign_in_to_subscribe": ("Войдите, чтобы подписаться.", "Sign in to subscribe."),
    "needs_script": (
        "Для личного кабинета нужен JavaScript; цены видны и без него.",
        "Your account needs JavaScript; prices are shown without it.",
    ),
    "my_subscriptions": ("Мои подписки", "My subscriptions"),
    "nothing_yet": ("Подписок пока нет.", "No subscriptions yet."),
    "invoice": ("Счёт", "Invoice"),
    "until": ("оплачено до", "paid until"),
    "pay": ("Оплатить", "Pay"),
    "cancel": ("Отменить", "Cancel"),
    "cancel_sure": (
        "Отменить подписку сейчас? Оплаченное время пропадёт.",
        "Cancel the subscription now? The time you have paid for is lost.",
    ),
    "cancel_unpaid_sure": ("Отменить подписку?", "Cancel the subscription?"),
    "cancel_now": ("Отменить сразу", "Cancel at once"),
    "cancel_at_period_end": ("Не продлевать после {date}", "Do not renew after {date}"),
    "cancel_at_period_end_sure": (
        "Подписка будет действовать до {date} и сама закончится. Больше не продлевать?",
        "The subscription stays active until {date} and then ends. Stop renewing it?",
    ),
    "active_until_end": ("действует до {date}, потом закончится", "is active until {date} and then ends"),
    "period": ("за период", "for the period"),
    "request_refund": ("Попросить возврат", "Ask for a refund"),
    "refund_reason": ("Почему вы хотите вернуть деньги?", "Why would you like the money back?"),
    "timeline": ("Что происходило", "What has happened"),
    "working": ("Минутку…", "One moment…"),
    "in_queue": (
        "Принято. Результат появится здесь, как только будет готов.",
        "Accepted. The result will appear here as soon as it is ready.",
    ),
    "went_wrong": ("Не получилось. Попробуйте ещё раз.", "That did not work. Please try again."),
    "problem.wrong_credentials": ("Почта или пароль не подходят.", "E-mail or password is not right."),
    "problem.email_taken": ("Эта почта уже зарегистрирована.", "This e-mail is registered already."),
    "problem.payment_in_progress": (
        "Платёж сейчас обрабатывается. Подождите немного.",
        "A payment is being processed. Please wait a little.",
    ),
    "problem.nothing_refundable": ("Возвращать уже нечего.", "There is nothing left to give back."),
    "problem.transition_refused": ("Сейчас это сделать нельзя.", "This cannot be done right now."),
    "problem.invalid_request": ("Проверьте, что введено.", "Please check what you entered."),
    "day": ("в день", "per day"),
    "week": ("в неделю", "per week"),
    "month": ("в месяц", "per month"),
    "year": ("в год", "per year"),
    "subscription.incomplete": ("ждёт первой оплаты", "waits for its first payment"),
    "subscription.active": ("действует", "is active"),
    "subscription.canceled": ("отменена", "is canceled"),
    # Steps that leave the state as it was.
    "step.subscription.change": ("тариф изменён", "the plan was changed"),
    "step.subscription.renew": ("подписка продлена", "was renewed"),
    "step.subscription.let_end": ("больше не продлевается", "will not be renewed"),
    "invoice.draft": ("счёт составляется", "the invoice is being drawn up"),
    "invoice.open": ("счёт ждёт оплаты", "the invoice waits to be paid"),
    "invoice.paid": ("счёт оплачен", "the invoice is paid"),
    "invoice.void": ("счёт отменён, платить не нужно", "the invoice is withdrawn, nothing to pay"),
    "invoice.expired": ("срок оплаты счёта прошёл", "the time to pay the invoice has passed"),
    "invoice.partially_refunded": ("часть денег возвращена", "part of the money was given back"),
    "invoice.refunded": ("деньги возвращены", "the money was given back"),
    "payment.intent": ("начали оплату", "a payment was begun"),
    "payment.sent": ("готовим страницу оплаты", "the payment page is being prepared"),
    "payment.requires_action": ("страница оплаты открыта", "the payment page is open"),
    "payment.pending": ("банк обрабатывает платёж", "the bank is processing the payment"),
    "payment.unknown": ("уточняем у банка, что с платежом", "we are asking the bank about the payment"),
    "payment.succeeded": ("деньги получены", "the money has arrived"),
    "payment.declined": ("банк не пропустил платёж", "the bank did not let the payment through"),
    "payment.not_sent": ("платёж не ушёл, деньги не списаны", "the payment did not leave: no charge"),
    "payment.canceled": ("попытка оплаты закрыта", "the try to pay was closed"),
    "refund.requested": ("просьба о возврате получена", "the refund was asked for"),
    "refund.approved": ("возврат одобрен", "the refund was approved"),
    "refund.rejected": ("в возврате отказано", "the refund was not approved"),
    "refund.withdrawn": ("просьба о возврате закрыта", "the request for a refund was closed"),
    "refund.sent": ("возврат отправлен в банк", "the refund was sent to the bank"),
    "refund.unknown": ("уточняем у банка, что с возвратом", "we are asking the bank about the refund"),
    "refund.succeeded": ("возврат выполнен", "the refund was made"),
    "refund.declined": ("банк не провёл возврат", "the bank did not make the refund"),
    "pay_title": ("Оплата", "Payment"),
    "done_title": ("Как прошла оплата", "How the payment went"),
    "pay_link": ("Перейти к оплате", "Go to the payment page"),
    "pay_note": (
        "Карту вы вводите на странице платёжного сервиса; мы её не видим.",
        "You enter your card at the payment service; we never see it.",
    ),
    "see_how": ("Я уже оплатил(а)", "I have paid already"),
    "back_to_pay": ("Вернуться к оплате", "Back to the payment"),
    "back": ("Вернуться в студию", "Back to the studio"),
    "widget_missing": (
        "Страница оплаты не загрузилась. Обновите страницу.",
        "The payment form did not load. Please reload the page.",
    ),
    "missing": ("Такой страницы здесь нет.", "There is no such page here."),
    "link_expired": (
        "Срок этой ссылки прошёл. Если она ещё нужна, войдите в личный кабинет студии.",
        "This link is too old. If you still need it, sign in at the studio.",
    ),
    "link_unknown": (
        "Эта ссылка не подходит. Проверьте, целиком ли она скопирована из письма.",
        "This link does not work. Please check that you copied all of it from the letter.",
    ),
    "link_pay_title": ("Оплата счёта", "Pay the invoice"),
    "link_pay_until": ("Оплатить можно до", "It can be paid until"),
    "link_pay_note": (
        "По кнопке откроется страница оплаты. Пока вы не заплатите там, деньги не списываются.",
        "The button opens the payment page. Nothing is charged until you pay there.",
    ),
    "link_cancel_title": ("Не продлевать подписку", "Do not renew"),
    "link_cancel": ("Не продлевать", "Do not renew"),
    "link_cancel_until": ("Подписка работает до", "The subscription works until"),
    "link_cancel_note": (
        "Она будет работать до этого дня, потом закончится. Неоплаченный счёт закроется, деньги не спишутся.",
        "It works until that day and then ends. An unpaid invoice is closed, and nothing is charged.",
    ),
    "link_cancel_booking_title": ("Отменить бронирование", "Cancel the booking"),
    "link_cancel_booking": ("Отменить бронирование", "Cancel the booking"),
    "link_cancel_booking_back": ("Вернём:", "Comes back:"),
    "link_cancel_booking_kept": ("Не вернётся по условиям отмены:", "Is kept by the terms of canceling:"),
    "link_cancel_booking_note": (
        "По кнопке время сразу освободится для других.",
        "The button makes the time free for others at once.",
    ),
    "link.booking_gone": (
        "Этого бронирования больше нет: время свободно, платить ничего не нужно.",
        "This booking does not hold any more: the time is free, and there is nothing to pay.",
    ),
    "link.booking_begun": (
        "Отменить уже нельзя: время началось или прошло.",
        "It is too late to cancel: the time has begun or is over.",
    ),
    "link.booking_in_flight": (
        "Банк обрабатывает платёж. Отменить можно будет, когда он закончит.",
        "The bank is processing a payment. You can cancel when it is done.",
    ),
    "link.paid": (
        "Этот счёт уже оплачен. Платить ещё раз не нужно.",
        "This invoice is paid already. There is nothing to pay.",
    ),
    "link.closed": (
        "Этот счёт закрыт, платить по нему не нужно.",
        "This invoice is closed. There is nothing to pay.",
    ),
    "link.in_flight": (
        "Банк обрабатывает платёж по этому счёту. Платить второй раз не нужно.",
        "The bank is processing a payment for this invoice. There is no need to pay again.",
    ),
    "link.ending": (
        "Подписка не продлится: до этого дня она работает, больше ничего не спишется.",
        "The subscription will not renew: it works until that day, and nothing more is charged.",
    ),
    "link.ended": ("Эта подписка уже закончилась.", "This subscription has ended already."),
    "phase.offered": (
        "Ждём подтверждения от банка. Если вы ещё не платили — это можно сделать сейчас.",
        "We are waiting for the bank to confirm. If you have not paid yet, you can do it now.",
    ),
    "phase.offered_again": (
        "Банк не пропустил последнюю попытку, деньги не списаны. Попробуйте ещё раз или другой картой.",
        "The bank did not let the last try through and nothing was charged. Try again or use another card.",
    ),
    "phase.preparing": ("Готовим страницу оплаты…", "The payment page is being prepared…"),
    "phase.processing": (
        "Банк обрабатывает платёж. Платить второй раз не нужно: страница обновится сама.",
        "The bank is processing the payment. There is no need to pay again: this page updates itself.",
    ),
    "phase.paid": (
        "Спасибо! Деньги получены, счёт оплачен.",
        "Thank you! The money arrived, the invoice is paid.",
    ),
    "phase.kept": (
        "Деньги получены, но счёт уже закрыт. Мы их видим и разберёмся; платить ещё раз не нужно.",
        "The money arrived, but the invoice was closed already. We will sort it out; do not pay again.",
    ),
    "phase.declined": (
        "Банк не пропустил платёж, деньги не списаны. Можно начать оплату заново.",
        "The bank did not let the payment through and nothing was charged. You can start again.",
    ),
    "phase.closed": (
        "Эта попытка оплаты закрыта, по ней ничего не списано.",
        "This try to pay is closed; it charged nothing.",
    ),
}


def words_of(language: Language) -> dict[str, str]:
    """All sentences in one language."""
    position = LANGUAGES.index(language)
    return {key: texts[position] for key, texts in _WORDS.items()}


def choose_language(asked: str | None, accept_language: str, fallback: str) -> Language:
    """`?lang` first, then the first of ours in Accept-Language, then the studio's own."""
    wishes = [asked or "", *accept_language[:HEADER_LENGTH_LIMIT].lower().split(","), fallback]
    for wish in wishes:
        for language in LANGUAGES:
            if wish.strip().split(";")[0].split("-")[0] == language:
                return language
    return "ru"
