"""The bus without a broker: the journal and the events' inbox are its queues, NOTIFY its wake-up.

`commands` and `events` hold a publisher and a consumer each, over a connection of their own that `session`
keeps up. The same messages, order and results as on RabbitMQ; nothing waits anywhere but in Postgres.
"""
