"""A CloudPayments twin: its API, a payment page, signed callbacks, its own books, and faults on request.

Run: `python -m sandbox.cloudpayments --port N --state DIR [--host 127.0.0.1] [--public-url URL]
[--retry-gaps SECONDS,...] [--callback-timeout SECONDS]`. It knows nothing of the product and speaks to it by
HTTP only. All it does is in `DIR/ledger.jsonl`, one JSON object a line, on disk (fsync) before anybody is
told; its state is read back from there, so a kill loses nothing. The control API below has no password:
listen on a private address.

The provider's wire (Basic auth, JSON or form, `X-Request-ID` kept one hour; the same id with another body is
a *violation* and 400; more than 5 calls in flight on a test site, 30 on a live one, is 429):
  POST /test, /orders/create, /orders/cancel, /payments/get, /payments/find, /v2/payments/find,
       /v2/payments/list, /payments/refund, /site/notifications/{Type}/get, /site/notifications/{Type}/update

The payer's side:
  GET  /d/{order_id}                 the payment page; POST .../pay and .../decline press its buttons
  GET  /bundles/cloudpayments.js     `new cp.CloudPayments().start(params)`: goes to the page below
  GET  /widget/start?intent=JSON     makes (or finds again) the order of these widget parameters, shows it

The control side (JSON):
  PUT  /_twin/sites/{public_id}      {"secret", "is_test": true, "format": "form"|"json",
                                      "callbacks": {"check": URL, "pay": URL, "fail": URL, "refund": URL}}
  GET  /_twin/ledger                 {"captures", "declines", "refunds", "orders", "callbacks", "requests",
                                      "violations", "faults"}; captures and refunds hold amount_minor,
                                      currency, invoice_id, transaction_id
  POST /_twin/faults                 {"faults": [{"point", "kind", "times": 1, "milliseconds": 0}]}: replaces
                                      the script. Each use of a fault takes one of its `times`.
  POST /_twin/refunds                {"transaction_id", "amount_minor"}: a refund made in the cabinet
  POST /_twin/callbacks/deliver      {"everything": false}: sends what is due now (or all that waits: late,
                                      held, between tries) and answers when done
  GET  /healthz

Faults. At an API call's point (`orders/create`, `payments/refund`, `payments/find`, ...) or `page/pay`,
`page/decline`: `error_500_before_effect`, `error_500_after_effect`, `cut_after_effect` (headers, then the
connection is cut), `not_json` (after the effect), `slow` (waits `milliseconds` after the effect),
`callback_before_answer`. At `page/pay` also `pay_twice` (one page, two captures). At `callback/pay`,
`callback/fail`, `callback/refund`: `callback_twice`, `callback_late` (first try after `milliseconds`),
`callback_lost` (never sent), `callbacks_out_of_order` (held until the invoice's next callback was delivered),
`forged_callback` (one more, with another amount, signed by a wrong key).
"""
