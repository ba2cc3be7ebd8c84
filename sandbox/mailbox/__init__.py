"""A mailbox for everything that a billing system sends: an SMTP server that keeps all and delivers nothing.

Run: `python -m sandbox.mailbox --smtp-port N --port N --state DIR [--host 127.0.0.1]`. It knows nothing of
the product. What it has answered with 250 is in `DIR`, one `.eml` file a message, on disk (fsync) before;
the newest 1000 are kept. No TLS and no sign-in: listen on a private address.

For people: `/` shows the messages, `/messages/{id}` one of them. For programs (JSON):
  GET    /_mailbox/messages     [{"id", "to", "from", "subject", "text", "html", "received_at", "message_id",
                                  "headers"}], newest first; `to` and `from` are the envelope's, headers are
                                  [[name, value], ...]; ?to=ADDRESS, ?limit=N
  DELETE /_mailbox/messages     forgets all
  POST   /_mailbox/faults       {"faults": [{"kind", "times": 1, "milliseconds": 0, "to": null}]}: replaces
                                the script. Each use of a fault takes one of its `times`.
  GET    /_mailbox/faults       what is left of it
  GET    /healthz

Faults: `down` (a connection is cut at once), `refuse` (550 for a recipient), `defer` (451 for a recipient),
`reject` (554 after the message), `slow` (waits `milliseconds` before it answers the recipient), `cut` (keeps
the message, then cuts the connection without an answer). `to` limits all but `down` to one address.
"""
