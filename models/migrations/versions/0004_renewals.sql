-- Renewals, what customers are written, the log of events, and the runs of jobs.

-- ---------------------------------------------------------------- subscriptions that go on, or end

-- Whoever cancels at the end of a period keeps what was paid for.
ALTER TABLE subscription ADD COLUMN cancel_at_period_end boolean NOT NULL DEFAULT false;
CREATE INDEX subscription_period_end ON subscription (current_period_end, id) WHERE state = 'active';

-- When the first period began: the day of the month and the hour that all periods after it end at, also after a
-- month that has no such day.
ALTER TABLE subscription ADD COLUMN anchor_at timestamptz;
UPDATE subscription s SET anchor_at = coalesce((
    SELECT (e.facts ->> 'current_period_start')::timestamptz FROM state_event e
    WHERE e.aggregate_id = s.id AND e.trigger = 'activate'), s.current_period_start);
ALTER TABLE subscription ADD CHECK (state <> 'active' OR anchor_at IS NOT NULL);

-- An invoice that renews a subscription says for which period; the first invoice does not know it yet.
ALTER TABLE invoice
    ADD COLUMN period_start timestamptz,
    ADD COLUMN period_end timestamptz,
    ADD CHECK ((period_start IS NULL) = (period_end IS NULL)),
    ADD CHECK (period_end > period_start),
    ADD CHECK (period_start IS NULL OR subscription_id IS NOT NULL);
-- A period is invoiced once; only an invoice that was taken back makes room for another.
CREATE UNIQUE INDEX invoice_period ON invoice (subscription_id, period_start)
    WHERE period_start IS NOT NULL AND state <> 'void';

-- A database that was at this revision before and went back has had renewals: the chain of events knows them.
UPDATE subscription s SET cancel_at_period_end = true
    FROM state_event e WHERE e.aggregate_id = s.id AND e.trigger = 'let_end';
UPDATE invoice i SET period_start = (e.facts ->> 'period_start')::timestamptz,
        period_end = (e.facts ->> 'period_end')::timestamptz
    FROM state_event e WHERE e.aggregate_id = i.id AND e.trigger = 'draw' AND e.facts ? 'period_start';
INSERT INTO outbox (id, studio_id, channel, kind, schema_version, body, correlation_id, causation_id, created_at,
        publish_count, published_at)
    SELECT gen_random_uuid(), e.studio_id, 'event', told.kind, 1,
        jsonb_build_object('studio_id', e.studio_id, 'customer_id', s.customer_id, 'subscription_id', s.id,
            'occurred_at', e.occurred_at),
        e.correlation_id, e.command_id, e.occurred_at, 1, e.occurred_at
    FROM state_event e JOIN subscription s ON s.id = e.aggregate_id
    JOIN (VALUES ('renew', 'subscription.renewed'), ('let_end', 'subscription.ending')) AS told (trigger, kind)
        USING (trigger);

-- Money of which nobody knows: looked at on every scrape.
CREATE INDEX refund_unknown ON refund (updated_at) WHERE state = 'unknown';

-- ---------------------------------------------------------------- what customers are written

-- One message to one customer: planned in the transaction that found the occasion, rendered and sent when due.
-- The same occasion is told once: `occasion` is the period, the attempt or whatever makes it another one.
-- Facts are ids, sums and instants; names and addresses are read when it is sent.
CREATE TABLE notification (
    id uuid PRIMARY KEY,
    studio_id uuid NOT NULL,
    customer_id uuid NOT NULL,
    kind text NOT NULL,
    channel text NOT NULL CHECK (channel IN ('email', 'sms')),
    subject_id uuid NOT NULL,
    occasion text NOT NULL,
    facts jsonb NOT NULL,
    causation_id uuid NOT NULL,
    correlation_id text NOT NULL,
    planned_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    due_at timestamptz NOT NULL,
    claimed_until timestamptz,
    tries integer NOT NULL DEFAULT 0,
    state text NOT NULL DEFAULT 'planned' CHECK (state IN ('planned', 'sent', 'superseded', 'failed')),
    finished_at timestamptz,
    problem text,
    UNIQUE (studio_id, id),
    UNIQUE (studio_id, kind, subject_id, occasion, channel),
    CHECK ((state = 'planned') = (finished_at IS NULL)),
    FOREIGN KEY (studio_id, customer_id) REFERENCES customer (studio_id, id)
);
CREATE INDEX notification_due ON notification (due_at, id) WHERE state = 'planned';
CREATE INDEX notification_failed ON notification (finished_at) WHERE state = 'failed';
CREATE INDEX notification_customer ON notification (customer_id, id);
CREATE INDEX notification_studio ON notification (studio_id, due_at, id);

-- ---------------------------------------------------------------- the log of events

-- Every event and every error, once, as it came off the bus; what the search index has not taken yet waits here.
CREATE TABLE event_log (
    event_id uuid PRIMARY KEY,
    sequence bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
    studio_id uuid NOT NULL REFERENCES studio (id),
    kind text NOT NULL,
    schema_version smallint NOT NULL,
    is_error boolean NOT NULL,
    customer_id uuid,
    subject_id uuid NOT NULL,
    body jsonb NOT NULL,
    correlation_id text NOT NULL,
    occurred_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    index_due_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    index_tries integer NOT NULL DEFAULT 0,
    indexed_at timestamptz,
    index_problem text
);
CREATE INDEX event_log_studio ON event_log (studio_id, sequence);
CREATE INDEX event_log_kind ON event_log (studio_id, kind, sequence);
CREATE INDEX event_log_errors ON event_log (studio_id, sequence) WHERE is_error;
CREATE INDEX event_log_correlation ON event_log (studio_id, correlation_id, sequence);
CREATE INDEX event_log_subject ON event_log (subject_id, sequence);
CREATE INDEX event_log_to_index ON event_log (index_due_at, sequence) WHERE indexed_at IS NULL;

-- Events say when: those that have not left yet were written before they did.
UPDATE outbox SET body = body || jsonb_build_object('occurred_at', created_at)
    WHERE channel = 'event' AND published_at IS NULL AND NOT body ? 'occurred_at';

-- A parked command is an error that the world may hear of, whoever parks it.
CREATE FUNCTION tell_of_parked(one command_journal) RETURNS void LANGUAGE sql AS $$
    INSERT INTO outbox (id, studio_id, channel, kind, schema_version, body, correlation_id, causation_id, created_at)
    VALUES (gen_random_uuid(), one.studio_id, 'event', 'command.parked', 1,
        jsonb_build_object('studio_id', one.studio_id, 'customer_id', one.customer_id,
            'occurred_at', one.answered_at, 'command_id', one.command_id, 'command_kind', one.kind,
            'code', coalesce(one.problem ->> 'code', 'unknown')),
        one.correlation_id, one.command_id, clock_timestamp())
$$;
CREATE FUNCTION tell_of_parked_command() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM tell_of_parked(NEW);
    RETURN NULL;
END
$$;
SELECT tell_of_parked(one) FROM command_journal one WHERE one.state = 'parked';
CREATE TRIGGER tell_of_parked AFTER UPDATE OF state ON command_journal FOR EACH ROW
    WHEN (NEW.state = 'parked' AND OLD.state <> 'parked') EXECUTE FUNCTION tell_of_parked_command();

-- ---------------------------------------------------------------- runs of jobs

ALTER TABLE job_run
    ADD COLUMN done integer NOT NULL DEFAULT 0,
    ADD COLUMN problem text;
ALTER TABLE job_run
    ADD CONSTRAINT job_run_outcome_check CHECK (outcome IN ('done', 'failed')),
    ADD CONSTRAINT job_run_check CHECK ((outcome IS NULL) = (finished_at IS NULL));

-- ---------------------------------------------------------------- row-level security

DO $$
DECLARE
    tenant_table text;
BEGIN
    FOREACH tenant_table IN ARRAY ARRAY['notification', 'event_log'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', tenant_table);
        EXECUTE format(
            'CREATE POLICY tenant ON %I TO billbus_api, billbus_admin USING (studio_id = '
            || 'NULLIF(current_setting(''app.studio_id'', true), '''')::uuid)', tenant_table
        );
        EXECUTE format(
            'CREATE POLICY house ON %I TO billbus_updater, billbus_relay, billbus_worker, billbus_events, '
            || 'billbus_cron, billbus_verify USING (true)', tenant_table
        );
    END LOOP;
END
$$;

-- ---------------------------------------------------------------- who writes what

GRANT SELECT ON notification, event_log TO billbus_admin, billbus_verify;

-- The events process: logs, plans messages, and notes what the search index has taken.
GRANT SELECT, UPDATE ON inbox TO billbus_events;
GRANT SELECT ON studio, clock_offset, plan, price, subscription, invoice, payment_attempt, provider_payment, refund,
    state_event TO billbus_events;
GRANT SELECT (id, studio_id, locale) ON customer TO billbus_events;
GRANT SELECT, INSERT ON event_log, notification TO billbus_events;
GRANT UPDATE (index_due_at, index_tries, indexed_at, index_problem) ON event_log TO billbus_events;

-- Cron: finds what is due, plans reminders, accepts commands.
GRANT SELECT ON studio, clock_offset, plan, price, subscription, invoice, provider_payment TO billbus_cron;
GRANT SELECT (id, studio_id, locale) ON customer TO billbus_cron;
GRANT SELECT, INSERT ON command_journal, notification TO billbus_cron;
GRANT SELECT, INSERT, UPDATE ON job_run TO billbus_cron;
REVOKE ALL ON job_run FROM billbus_worker;

-- The worker sends: it alone joins a message with a name and an address.
GRANT SELECT (id, studio_id, email, name, locale) ON customer TO billbus_worker;
GRANT SELECT ON plan, price, invoice_line, notification TO billbus_worker;
GRANT UPDATE (due_at, claimed_until, tries, state, finished_at, problem) ON notification TO billbus_worker;
GRANT INSERT ON outbox TO billbus_worker;

-- The relay shows how jobs, messages and the search index are doing.
GRANT SELECT ON job_run, notification, event_log, payment_attempt, refund, clock_offset TO billbus_relay;

-- ---------------------------------------------------------------- invariants

CREATE OR REPLACE VIEW invariant.always_outbox_of_applied_command AS
    SELECT o.studio_id, o.id::text AS subject,
        'command ' || o.causation_id || ' is ' || coalesce(j.state, 'not in the journal') AS fault
    FROM outbox o
    LEFT JOIN command_journal j ON j.command_id = o.causation_id AND j.studio_id = o.studio_id
    WHERE j.state IS DISTINCT FROM 'applied' AND o.kind NOT IN ('command.parked', 'notification.failed');

CREATE VIEW invariant.always_error_is_true AS
    SELECT o.studio_id, o.id::text AS subject, o.kind || ' tells of nothing that failed' AS fault
    FROM outbox o
    LEFT JOIN command_journal j ON o.kind = 'command.parked' AND j.command_id = o.causation_id
        AND j.studio_id = o.studio_id
    LEFT JOIN notification n ON o.kind = 'notification.failed' AND n.id = o.causation_id
        AND n.studio_id = o.studio_id AND n.state = 'failed'
    WHERE o.kind IN ('command.parked', 'notification.failed') AND j.command_id IS NULL AND n.id IS NULL;
COMMENT ON VIEW invariant.always_error_is_true IS 'I13: an error that leaves names a command of the journal or a message that was given up.';

CREATE VIEW invariant.always_parked_command_is_told AS
    SELECT j.studio_id, j.command_id::text AS subject, 'is parked, and no event says so' AS fault
    FROM command_journal j
    WHERE j.state = 'parked' AND NOT EXISTS (
        SELECT FROM outbox o WHERE o.causation_id = j.command_id AND o.kind = 'command.parked');
COMMENT ON VIEW invariant.always_parked_command_is_told IS 'I13: a command that is parked has its event.';

CREATE OR REPLACE VIEW invariant.always_announcement_is_true AS
    SELECT o.studio_id, o.id::text AS subject, o.kind || ' tells of nothing that its command did' AS fault
    FROM outbox o
    LEFT JOIN invariant.announcement told USING (kind)
    LEFT JOIN state_event e ON e.command_id = o.causation_id AND e.machine = told.machine
        AND e.trigger = told.trigger AND e.aggregate_id::text = o.body ->> told.id_field
    LEFT JOIN ledger_transfer t ON t.causation_id = o.causation_id AND o.kind = 'payment.unapplied'
        AND t.posting_id::text = o.body ->> 'payment_id'
    WHERE o.channel = 'event' AND o.kind NOT IN ('command.parked', 'notification.failed')
    GROUP BY o.id HAVING count(e.version) = 0 AND count(t.id) = 0;

-- The view before with two steps more.
CREATE OR REPLACE VIEW invariant.announcement AS
    SELECT * FROM (VALUES
        ('subscription', 'create', 'subscription.created', 'subscription_id'),
        ('subscription', 'activate', 'subscription.activated', 'subscription_id'),
        ('subscription', 'change', 'subscription.changed', 'subscription_id'),
        ('subscription', 'renew', 'subscription.renewed', 'subscription_id'),
        ('subscription', 'let_end', 'subscription.ending', 'subscription_id'),
        ('subscription', 'cancel', 'subscription.canceled', 'subscription_id'),
        ('invoice', 'open', 'invoice.opened', 'invoice_id'),
        ('invoice', 'pay', 'invoice.paid', 'invoice_id'),
        ('invoice', 'void', 'invoice.voided', 'invoice_id'),
        ('invoice', 'expire', 'invoice.expired', 'invoice_id'),
        ('invoice', 'refund', 'invoice.refunded', 'invoice_id'),
        ('payment', 'succeed', 'payment.succeeded', 'attempt_id'),
        ('payment', 'decline', 'payment.failed', 'attempt_id'),
        ('refund', 'request', 'refund.requested', 'refund_id'),
        ('refund', 'reject', 'refund.rejected', 'refund_id'),
        ('refund', 'succeed', 'refund.succeeded', 'refund_id'),
        ('refund', 'record', 'refund.succeeded', 'refund_id'),
        ('refund', 'decline', 'refund.declined', 'refund_id')
    ) AS told (machine, trigger, kind, id_field);

-- Against the unique key, should it ever be gone.
CREATE VIEW invariant.always_message_is_planned_once AS
    SELECT studio_id, kind || ' of ' || subject_id || ' for ' || occasion AS subject,
        count(*) || ' messages by ' || channel AS fault
    FROM notification GROUP BY studio_id, kind, subject_id, occasion, channel HAVING count(*) > 1;
COMMENT ON VIEW invariant.always_message_is_planned_once IS 'I20: a customer is told of one occasion once on one channel.';

-- Against the unique index, should it ever be gone.
CREATE VIEW invariant.always_period_is_invoiced_once AS
    SELECT studio_id, subscription_id || ' from ' || period_start AS subject,
        count(*) || ' invoices for one period' AS fault
    FROM invoice WHERE period_start IS NOT NULL AND state <> 'void'
    GROUP BY studio_id, subscription_id, period_start HAVING count(*) > 1;
COMMENT ON VIEW invariant.always_period_is_invoiced_once IS 'I11: a billing period has at most one invoice that is not void.';

CREATE VIEW invariant.paid_period AS
    SELECT studio_id, aggregate_id AS subscription_id, (facts ->> 'current_period_start')::timestamptz AS starts_at,
        (facts ->> 'current_period_end')::timestamptz AS ends_at
    FROM state_event
    WHERE machine = 'subscription' AND trigger = 'activate' AND facts ? 'current_period_end'
    UNION ALL SELECT studio_id, subscription_id, period_start, period_end
    FROM invoice WHERE period_start IS NOT NULL AND state IN ('paid', 'partially_refunded', 'refunded');
COMMENT ON VIEW invariant.paid_period IS 'The billing periods of each subscription that were paid for, the first included.';

CREATE VIEW invariant.always_paid_periods_tile AS
    SELECT studio_id, subscription_id::text AS subject,
        'a period begins at ' || starts_at || ', the one before ends at ' || ended_at AS fault
    FROM (
        SELECT *, lag(ends_at) OVER (PARTITION BY subscription_id ORDER BY starts_at) AS ended_at
        FROM invariant.paid_period
    ) AS following
    WHERE starts_at <> ended_at;
COMMENT ON VIEW invariant.always_paid_periods_tile IS 'I11: each paid period of a subscription begins where the one before ends: no gap, no overlap.';

CREATE VIEW invariant.always_current_period_is_the_last_paid AS
    SELECT s.studio_id, s.id::text AS subject,
        'its period ends at ' || s.current_period_end || ', paid for is until ' || max(p.ends_at) AS fault
    FROM subscription s JOIN invariant.paid_period p ON p.subscription_id = s.id
    GROUP BY s.id HAVING s.current_period_end IS DISTINCT FROM max(p.ends_at)
        OR s.current_period_start IS DISTINCT FROM max(p.starts_at);
COMMENT ON VIEW invariant.always_current_period_is_the_last_paid IS 'I11: a subscription lasts exactly as long as what was paid for it.';

CREATE VIEW invariant.always_open_renewal_is_of_the_next_period AS
    SELECT i.studio_id, i.id::text AS subject,
        'is ' || i.state || ' from ' || i.period_start || ', its subscription ' || s.state
        || CASE WHEN s.cancel_at_period_end THEN ' and ending' ELSE '' END
        || ' until ' || coalesce(s.current_period_end::text, 'nothing') AS fault
    FROM invoice i JOIN subscription s ON s.id = i.subscription_id
    WHERE i.period_start IS NOT NULL AND i.state IN ('draft', 'open') AND (
        s.state <> 'active' OR s.cancel_at_period_end OR s.current_period_end IS DISTINCT FROM i.period_start);
COMMENT ON VIEW invariant.always_open_renewal_is_of_the_next_period IS 'I11: what can be paid for a subscription is its next period, and nothing once it ends or is to end.';

CREATE VIEW invariant.always_unpaid_renewal_ends_its_subscription AS
    SELECT s.studio_id, s.id::text AS subject, 'active, though renewal ' || i.id || ' is ' || i.state AS fault
    FROM subscription s JOIN invoice i ON i.subscription_id = s.id AND i.period_start IS NOT NULL
    WHERE s.state = 'active' AND (i.state = 'expired' OR i.state = 'void' AND NOT s.cancel_at_period_end);
COMMENT ON VIEW invariant.always_unpaid_renewal_ends_its_subscription IS 'I11: a subscription whose renewal was not paid in time or was taken back does not go on.';

GRANT SELECT ON ALL TABLES IN SCHEMA invariant TO billbus_verify;
