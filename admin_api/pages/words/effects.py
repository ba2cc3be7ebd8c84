"""Words of what an action would do, for whoever is about to confirm it: what becomes of money and people.

Lines of `posting`, `task` and `event` tell how our programs do it.
"""

from typing import Final

WORDS: Final[dict[str, tuple[str, str]]] = {
    "form.technical": ("Для инженеров", "For engineers"),
    "effect.nothing": ("Ничего не изменится", "Nothing would change"),
    "effect.step.subscription.create": (
        "Клиенту оформят «{plan}» за {amount_minor}; подписка начнётся, когда он оплатит счёт",
        "The customer gets {plan} for {amount_minor}; it begins when the invoice is paid",
    ),
    "effect.step.subscription.activate": (
        "Подписка «{plan}» начнётся",
        "The subscription to {plan} begins",
    ),
    "effect.step.subscription.change": (
        "Со следующего периода подписка пойдёт по цене «{plan}», {amount_minor}; оплаченный не изменится",
        "From its next period it costs {amount_minor} ({plan}); the period that is paid for stays as it is",
    ),
    "effect.step.subscription.renew": (
        "Подписка «{plan}» продлится на следующий период",
        "The subscription to {plan} goes on for its next period",
    ),
    "effect.step.subscription.let_end": (
        "Подписка «{plan}» доработает оплаченный период, закончится и не продлится",
        "The subscription to {plan} lasts until the period that is paid for is over, and is not renewed",
    ),
    "effect.step.subscription.cancel": (
        "Подписка «{plan}» закончится сразу; оплаченные деньги сами не вернутся",
        "The subscription to {plan} ends at once; money that was paid does not go back by itself",
    ),
    "effect.step.invoice.draw": ("Будет составлен счёт", "An invoice is drawn"),
    "effect.step.invoice.open": (
        "Клиент получит счёт на {amount_minor} и сможет сразу его оплатить",
        "The customer gets an invoice of {amount_minor} and can pay it at once",
    ),
    "effect.step.invoice.void": (
        "Счёт {number} на {amount_minor} будет отменён: платить по нему будет нельзя",
        "Invoice {number} of {amount_minor} is canceled: nobody can pay it any more",
    ),
    "effect.step.invoice.expire": (
        "Срок счёта {number} на {amount_minor} истечёт: платить по нему будет нельзя",
        "Invoice {number} of {amount_minor} expires: nobody can pay it any more",
    ),
    "effect.step.invoice.pay": (
        "Счёт {number} на {amount_minor} станет оплаченным",
        "Invoice {number} of {amount_minor} is paid",
    ),
    "effect.step.invoice.refund": (
        "По счёту {number} часть денег или все они будут возвращены",
        "Money of invoice {number} is given back, in part or all of it",
    ),
    "effect.step.payment.create": ("Клиент начнёт оплату", "The customer begins to pay"),
    "effect.step.payment.send": (
        "Платёжную систему попросят принять оплату",
        "The provider is asked to take the payment",
    ),
    "effect.step.payment.offer_page": (
        "Клиент увидит страницу оплаты на {amount_minor}",
        "The customer sees the page to pay {amount_minor}",
    ),
    "effect.step.payment.require_action": (
        "Оплата {amount_minor} будет ждать подтверждения плательщика",
        "The payment of {amount_minor} waits for the payer to confirm it",
    ),
    "effect.step.payment.wait": (
        "Оплата {amount_minor} будет ждать ответа платёжной системы",
        "The payment of {amount_minor} waits for the provider's answer",
    ),
    "effect.step.payment.succeed": (
        "Оплата {amount_minor} будет принята",
        "The payment of {amount_minor} succeeds",
    ),
    "effect.step.payment.decline": (
        "Оплата {amount_minor} не пройдёт: платёжная система отказала; клиент сможет попробовать ещё раз",
        "The payment of {amount_minor} is declined by the provider; the customer may try again",
    ),
    "effect.step.payment.fail_to_send": (
        "Оплата {amount_minor} не начнётся: платёжная система недоступна; деньги не спишутся",
        "The payment of {amount_minor} never reaches the provider; nothing is charged",
    ),
    "effect.step.payment.lose_answer": (
        "Будет неизвестно, прошла ли оплата {amount_minor}; платёжную систему спросят ещё раз",
        "Nobody knows whether {amount_minor} was paid; the provider is asked again",
    ),
    "effect.step.payment.cancel": (
        "Страница оплаты закроется; деньги не спишутся",
        "The payment page closes; nothing is charged",
    ),
    "effect.step.refund.request": (
        "Когда возврат одобрят, клиенту вернётся {amount_minor}. До тех пор эта сумма отложена",
        "{amount_minor} goes back to the customer once the refund is approved; it is kept until then",
    ),
    "effect.step.refund.request.to_card": (
        "Когда возврат одобрят, клиенту вернётся {amount_minor} на карту {card}. Пока эта сумма отложена",
        "{amount_minor} goes back to card {card} once the refund is approved; it is kept until then",
    ),
    "effect.step.refund.record": (
        "Будет записан возврат {amount_minor}, сделанный у платёжной системы",
        "A refund of {amount_minor} that the provider made is recorded",
    ),
    "effect.step.refund.approve": (
        "Клиенту вернётся {amount_minor}; остановить это потом будет нельзя",
        "{amount_minor} goes back to the customer; nothing can stop it afterwards",
    ),
    "effect.step.refund.approve.to_card": (
        "Клиенту вернётся {amount_minor} на карту {card}; остановить это потом будет нельзя",
        "{amount_minor} goes back to card {card}; nothing can stop it afterwards",
    ),
    "effect.step.refund.reject": (
        "Клиент не получит {amount_minor} и увидит причину; эту сумму можно будет вернуть снова",
        "The customer does not get {amount_minor} and sees why; the sum can be given back by another refund",
    ),
    "effect.step.refund.withdraw": (
        "Запрос на возврат {amount_minor} будет снят",
        "The request to give {amount_minor} back is withdrawn",
    ),
    "effect.step.refund.send": (
        "Запрос на возврат уйдёт платёжной системе",
        "The request goes to the provider",
    ),
    "effect.step.refund.succeed": (
        "Возврат {amount_minor} будет записан как состоявшийся",
        "The refund of {amount_minor} is done",
    ),
    "effect.step.refund.decline": (
        "Возврат {amount_minor} не состоится: платёжная система отказала",
        "The refund of {amount_minor} is declined by the provider",
    ),
    "effect.step.refund.lose_answer": (
        "Будет неизвестно, вернулись ли {amount_minor}; платёжную систему спросят ещё раз",
        "Nobody knows whether {amount_minor} went back; the provider is asked again",
    ),
    "effect.posting.invoice_opened": (
        "Книги: долг клиента вырастет на {amount_minor}",
        "Books: the customer owes {amount_minor} more",
    ),
    "effect.posting.invoice_closed": (
        "Книги: долг клиента уменьшится на {amount_minor}",
        "Books: the customer owes {amount_minor} less",
    ),
    "effect.posting.payment_matched": (
        "Книги: зачтётся оплата {amount_minor}",
        "Books: a payment of {amount_minor} is matched",
    ),
    "effect.posting.payment_unapplied": (
        "{amount_minor} придут, но ни к какому счёту не подойдут: с ними надо будет решить вручную",
        "{amount_minor} arrives but fits no invoice: somebody must decide about it",
    ),
    "effect.posting.refund_matched": (
        "Книги: выручка уменьшится на {amount_minor}",
        "Books: sales are {amount_minor} less",
    ),
    "effect.posting.refund_unapplied": (
        "Денег без счёта станет меньше на {amount_minor}",
        "There is {amount_minor} less of money without an invoice",
    ),
    "effect.posting.refund_excess": (
        "{amount_minor} возвращены сверх известного нам платежа",
        "{amount_minor} is given back beyond the payment that we know",
    ),
    "effect.posting.excess_matched": (
        "Книги: возврат {amount_minor} найдёт свой счёт",
        "Books: the refund of {amount_minor} finds its invoice",
    ),
    "effect.posting.excess_unapplied": (
        "Книги: возврат {amount_minor} найдёт платёж без счёта",
        "Books: the refund of {amount_minor} finds its payment without an invoice",
    ),
    "effect.task.start_payment": (
        "Запрос платёжной системе: начать оплату",
        "Request to the provider: begin the payment",
    ),
    "effect.task.send_refund": (
        "Запрос платёжной системе: вернуть деньги",
        "Request to the provider: give the money back",
    ),
    "effect.task.look_up_payment": (
        "Платёжную систему спросят, что стало с оплатой; деньги от этого не двигаются",
        "The provider is asked what became of the payment; no money moves by that",
    ),
    "effect.task.look_up_refund": (
        "Платёжную систему спросят, что стало с возвратом; деньги от этого не двигаются",
        "The provider is asked what became of the refund; no money moves by that",
    ),
    "effect.event": ("Событие для подписчиков: {kind}", "Event for subscribers: {kind}"),
    "effect.price.begins": (
        "«{plan}»: {amount_minor} с {date}, версия {version}",
        "{plan}: {amount_minor} from {date}, version {version}",
    ),
    "effect.price.renewals": (
        "{count} {count:подписка продлится|подписки продлятся|подписок продлятся} по новой цене с {date}: "
        "было {old_amount_minor}, станет {new_amount_minor}; за период все вместе {difference_minor}",
        "{count} {count:subscription renews|subscriptions renew} at the new price from {date}: "
        "{old_amount_minor} before, {new_amount_minor} then; per period all together {difference_minor}",
    ),
    "effect.price.reaches_nobody": (
        "Действующих подписок это не коснётся",
        "No active subscription renews at this price",
    ),
    "effect.command.discarded": (
        "«{kind}»: этого не произойдёт никогда; отправитель узнает причину",
        "{kind}: it will never happen; whoever sent it is told why",
    ),
}
