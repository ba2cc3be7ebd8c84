-- A studio's past, set by set: what its customers took, paid, left unpaid and got back, as the product would have
-- left it. Run by benchmarks.history, statement by statement, in one transaction of the owner's in which triggers
-- and foreign keys are off. The one row of `wanted` says for whom and how much, `offered` which prices there are.
-- Nothing is random: every roll is a hash of a number, every id of its time and a number.

CREATE FUNCTION pg_temp.id_at(instant timestamptz, what text, number bigint) RETURNS uuid LANGUAGE sql STABLE AS $$
    SELECT overlay(overlay(overlay(md5(current_setting('history.salt') || what || number)
        PLACING lpad(to_hex((extract(epoch FROM instant) * 1000)::bigint), 12, '0') FROM 1)
        PLACING '7' FROM 13) PLACING '8' FROM 17)::uuid
$$;

CREATE FUNCTION pg_temp.roll(number bigint, which bigint, sides bigint) RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT (hashint8extended(number, current_setting('history.seed')::bigint + which) & 9223372036854775807) % sides
$$;

CREATE FUNCTION pg_temp.link(aggregate_id uuid, version integer) RETURNS bytea LANGUAGE sql STABLE AS $$
    SELECT sha256(uuid_send(aggregate_id) || int4send(version))
$$;

-- ---------------------------------------------------------------- the drafts that the rows are made from

-- Every fifth invoice is a new customer's first, for a new subscription; the others are of somebody who was there.
CREATE TEMP TABLE draft ON COMMIT DROP AS
WITH rolled AS MATERIALIZED (
    SELECT n, w.starts_at + span * ((n + 0.5) / w.invoices) AS created_at,
        CASE WHEN n % 5 = 0 THEN n / 5 ELSE pg_temp.roll(n, 1, n / 5 + 1) END AS customer_number,
        CASE
            WHEN n > w.invoices * 0.94 AND pg_temp.roll(n, 2, 2) = 0 THEN 'open'
            WHEN pg_temp.roll(n, 3, 1000) < 876 THEN 'paid'
            WHEN pg_temp.roll(n, 3, 1000) < 928 AND n < w.invoices * 0.94 THEN 'expired'
            WHEN pg_temp.roll(n, 3, 1000) < 969 THEN 'void'
            ELSE (ARRAY['refunded', 'partially_refunded'])[1 + pg_temp.roll(n, 4, 2)]
        END AS state,
        pg_temp.roll(n, 5, (SELECT count(*) FROM offered)) AS offer, w.starts_at, w.ends_at, w.invoices, span
    FROM wanted w CROSS JOIN LATERAL (SELECT w.ends_at - w.starts_at AS span) s,
        generate_series(0, w.invoices - 1) n
), dated AS MATERIALIZED (
    SELECT r.*, n % 5 = 0 AS is_first, starts_at + span * ((customer_number * 5 + 0.5) / invoices) AS joined_at,
        CASE
            WHEN state = 'expired' THEN created_at + interval '3 days 1 minute'
            WHEN state <> 'open' THEN greatest(created_at + interval '1 minute',
                least(ends_at, created_at + interval '1 minute' * (1 + pg_temp.roll(n, 6, 180))))
        END AS settled_at
    FROM rolled r
)
SELECT d.n, d.customer_number, d.state, d.is_first, d.created_at, d.settled_at, o.price_id, o.plan_name,
    o.amount_minor, extract(year FROM d.created_at)::smallint AS year,
    row_number() OVER (PARTITION BY extract(year FROM d.created_at) ORDER BY d.n) AS number,
    d.state IN ('paid', 'refunded', 'partially_refunded') AS is_paid,
    CASE d.state WHEN 'refunded' THEN o.amount_minor WHEN 'partially_refunded' THEN o.amount_minor / 2 ELSE 0 END
        AS refunded_minor,
    pg_temp.id_at(d.joined_at - interval '1 minute', 'customer', d.customer_number) AS customer_id,
    pg_temp.id_at(d.joined_at, 'subscription', d.customer_number) AS subscription_id,
    pg_temp.id_at(d.created_at, 'invoice', d.n) AS invoice_id,
    pg_temp.id_at(d.created_at, 'issuing', d.n) AS issuing_id,
    pg_temp.id_at(d.settled_at, 'attempt', d.n) AS attempt_id,
    pg_temp.id_at(d.settled_at, 'payment', d.n) AS payment_id,
    pg_temp.id_at(d.settled_at, 'settling', d.n) AS settling_id,
    CASE d.state WHEN 'open' THEN 2 WHEN 'refunded' THEN 4 WHEN 'partially_refunded' THEN 4 ELSE 3 END AS version
FROM dated d JOIN offered o ON o.position = d.offer
ORDER BY d.n;

-- The attempt that took the money, and before some of them one that was declined.
CREATE TEMP TABLE tried ON COMMIT DROP AS
SELECT n, customer_id, invoice_id, amount_minor, 'declined' AS state, created_at + interval '10 seconds' AS began_at,
    created_at + interval '30 seconds' AS ended_at,
    pg_temp.id_at(created_at + interval '10 seconds', 'declined', n) AS attempt_id,
    pg_temp.id_at(created_at + interval '10 seconds', 'starting declined', n) AS starting_id,
    pg_temp.id_at(created_at + interval '30 seconds', 'declining', n) AS ending_id, 1 + pg_temp.roll(n, 8, 5) AS decline
FROM draft WHERE state = 'expired' AND pg_temp.roll(n, 7, 2) = 0 OR is_paid AND pg_temp.roll(n, 7, 8) = 0
UNION ALL
SELECT n, customer_id, invoice_id, amount_minor, 'succeeded', settled_at - interval '20 seconds', settled_at, attempt_id,
    pg_temp.id_at(settled_at - interval '20 seconds', 'starting', n), settling_id, NULL
FROM draft WHERE is_paid
ORDER BY n;

-- What was given back, and now and then a wish that waits or was rejected.
CREATE TEMP TABLE returned ON COMMIT DROP AS
WITH rolled AS MATERIALIZED (
    SELECT d.*, w.ends_at, CASE
            WHEN d.refunded_minor > 0 THEN 'succeeded'
            WHEN d.n > w.invoices * 0.94 AND pg_temp.roll(d.n, 9, 100) = 0 THEN 'requested'
            WHEN pg_temp.roll(d.n, 9, 300) = 1 THEN 'rejected'
        END AS refund_state
    FROM draft d, wanted w WHERE d.is_paid
), dated AS MATERIALIZED (
    SELECT *, greatest(settled_at + interval '1 minute',
        least(ends_at, settled_at + interval '1 hour' * (1 + pg_temp.roll(n, 10, 480)))) AS asked_at
    FROM rolled WHERE refund_state IS NOT NULL
)
SELECT n, customer_id, invoice_id, payment_id, refund_state AS state, asked_at,
    asked_at + interval '5 seconds' AS answered_at,
    coalesce(nullif(refunded_minor, 0), amount_minor / 2) AS amount_minor,
    pg_temp.id_at(asked_at, 'refund', n) AS refund_id, pg_temp.id_at(asked_at, 'asking', n) AS asking_id,
    pg_temp.id_at(asked_at + interval '5 seconds', 'answering', n) AS answering_id,
    CASE refund_state WHEN 'requested' THEN 1 WHEN 'rejected' THEN 2 ELSE 4 END AS version
FROM dated ORDER BY n;

-- Money that came for no order that we know.
CREATE TEMP TABLE stray ON COMMIT DROP AS
SELECT n, settled_at AS received_at, amount_minor, pg_temp.id_at(settled_at, 'stray', n) AS payment_id,
    pg_temp.id_at(settled_at, 'recording stray', n) AS recording_id
FROM draft WHERE is_paid AND pg_temp.roll(n, 11, 2000) = 0 ORDER BY n;

CREATE TEMP TABLE taken ON COMMIT DROP AS
SELECT d.*, CASE
        WHEN d.state = 'open' THEN 'incomplete'
        WHEN NOT d.is_paid OR pg_temp.roll(d.n, 12, 4) = 0 THEN 'canceled'
        ELSE 'active'
    END AS subscription_state,
    greatest(d.settled_at, w.ends_at - interval '1 hour' * pg_temp.roll(d.n, 13, 700)) AS renewed_at,
    pg_temp.id_at(d.settled_at + interval '1 second', 'canceling', d.n) AS canceling_id
FROM draft d, wanted w WHERE d.is_first ORDER BY d.n;

ANALYZE draft, tried, returned, stray, taken;

-- ---------------------------------------------------------------- people and what they took

INSERT INTO customer (id, studio_id, email, name, created_at)
SELECT t.customer_id, w.studio_id, 'customer-' || w.salt || '-' || t.customer_number || '@example.org',
    w.first_names[1 + pg_temp.roll(t.n, 14, cardinality(w.first_names))] || ' '
        || w.last_names[1 + pg_temp.roll(t.n, 15, cardinality(w.last_names))] || ' ' || t.customer_number,
    t.created_at - interval '1 minute'
FROM taken t, wanted w ORDER BY t.n;

INSERT INTO subscription (id, studio_id, customer_id, price_id, state, version, head_hash, current_period_start,
    current_period_end, anchor_at, canceled_at, created_at, updated_at)
SELECT t.subscription_id, w.studio_id, t.customer_id, t.price_id, t.subscription_state, v.version,
    pg_temp.link(t.subscription_id, v.version), CASE WHEN t.is_paid THEN t.renewed_at END,
    CASE WHEN t.is_paid THEN t.renewed_at + interval '1 month' END, CASE WHEN t.is_paid THEN t.settled_at END,
    CASE WHEN t.subscription_state = 'canceled' THEN t.settled_at + interval '1 second' END, t.created_at,
    coalesce(t.settled_at, t.created_at)
FROM taken t CROSS JOIN wanted w CROSS JOIN LATERAL (
    SELECT 1 + t.is_paid::integer + (t.subscription_state = 'canceled')::integer AS version) v
ORDER BY t.n;

INSERT INTO invoice (id, studio_id, customer_id, subscription_id, state, version, head_hash, number, currency,
    total_minor, paid_minor, refunded_minor, expires_at, opened_at, created_at, updated_at)
SELECT d.invoice_id, w.studio_id, d.customer_id, d.subscription_id, d.state, d.version,
    pg_temp.link(d.invoice_id, d.version),
    d.year || '-' || lpad((coalesce(c.last_number, 0) + d.number)::text, 6, '0'), w.currency, d.amount_minor,
    CASE WHEN d.is_paid THEN d.amount_minor ELSE 0 END, d.refunded_minor,
    CASE d.state WHEN 'open' THEN w.ends_at ELSE d.created_at END + interval '3 days', d.created_at, d.created_at,
    coalesce(d.settled_at, d.created_at)
FROM draft d CROSS JOIN wanted w LEFT JOIN invoice_counter c ON c.studio_id = w.studio_id AND c.year = d.year
ORDER BY d.n;

INSERT INTO invoice_counter AS c (studio_id, year, last_number)
SELECT w.studio_id, d.year, count(*) FROM draft d, wanted w GROUP BY w.studio_id, d.year
ON CONFLICT (studio_id, year) DO UPDATE SET last_number = c.last_number + excluded.last_number;

INSERT INTO invoice_line (id, studio_id, invoice_id, position, price_id, description, quantity, unit_amount_minor,
    amount_minor)
SELECT pg_temp.id_at(d.created_at, 'line', d.n), w.studio_id, d.invoice_id, 1, d.price_id, d.plan_name, 1,
    d.amount_minor, d.amount_minor
FROM draft d, wanted w ORDER BY d.n;

-- ---------------------------------------------------------------- money on its way and back

INSERT INTO payment_attempt (id, studio_id, customer_id, invoice_id, provider_account_id, method, state, version,
    head_hash, amount_minor, currency, return_url, decline_code, decline_category, declines, created_at, updated_at)
SELECT t.attempt_id, w.studio_id, t.customer_id, t.invoice_id, w.provider_account_id, 'widget', t.state, 3,
    pg_temp.link(t.attempt_id, 3), t.amount_minor, w.currency, 'http://localhost/done',
    (ARRAY['5051', '5005', '5057', '5206', '5091'])[t.decline],
    (ARRAY['soft', 'hard', 'hard', 'payer_action', 'technical'])[t.decline],
    (t.decline IS NOT NULL)::integer, t.began_at, t.ended_at
FROM tried t, wanted w ORDER BY t.n;

INSERT INTO provider_payment (id, studio_id, provider_account_id, transaction_id, attempt_id, invoice_id,
    amount_minor, currency, unapplied_reason, refunded_minor, reserved_minor, card_mask, received_at)
SELECT d.payment_id, w.studio_id, w.provider_account_id, w.salt || '-' || d.n, d.attempt_id, d.invoice_id,
    d.amount_minor, w.currency, NULL, d.refunded_minor,
    CASE r.state WHEN 'requested' THEN r.amount_minor ELSE 0 END, '411111******1111', d.settled_at
FROM draft d CROSS JOIN wanted w LEFT JOIN returned r ON r.n = d.n
WHERE d.is_paid
UNION ALL
SELECT s.payment_id, w.studio_id, w.provider_account_id, w.salt || '-stray-' || s.n, NULL, NULL, s.amount_minor,
    w.currency, 'unknown_order', 0, 0, '411111******1111', s.received_at
FROM stray s, wanted w;

INSERT INTO refund (id, studio_id, customer_id, invoice_id, provider_payment_id, provider_account_id, state,
    version, head_hash, amount_minor, currency, origin, reason, provider_refund_id, created_at, updated_at)
SELECT r.refund_id, w.studio_id, r.customer_id, r.invoice_id, r.payment_id, w.provider_account_id, r.state,
    r.version, pg_temp.link(r.refund_id, r.version), r.amount_minor, w.currency,
    (ARRAY['customer', 'staff'])[1 + pg_temp.roll(r.n, 16, 2)], 'asked for',
    CASE r.state WHEN 'succeeded' THEN w.salt || '-' || r.n END, r.asked_at, r.answered_at
FROM returned r, wanted w ORDER BY r.n;

INSERT INTO provider_call (id, studio_id, kind, refund_id, call_number, request_id, body_hash, started_at,
    lease_until, outcome, finished_at)
SELECT pg_temp.id_at(r.asked_at, 'call', r.n), w.studio_id, 'refund', r.refund_id, 1, r.refund_id::text,
    sha256(uuid_send(r.refund_id)), r.asked_at, r.asked_at + interval '108 seconds', 'succeeded', r.answered_at
FROM returned r, wanted w WHERE r.state = 'succeeded' ORDER BY r.n;

-- ---------------------------------------------------------------- the books

INSERT INTO ledger_transfer (id, studio_id, debit_account_id, credit_account_id, amount_minor, currency, posting_id,
    causation_id, posted_at)
SELECT pg_temp.id_at(m.posted_at, m.what, m.n), w.studio_id, (w.ledger_accounts ->> m.debit)::uuid,
    (w.ledger_accounts ->> m.credit)::uuid, m.amount_minor, w.currency, m.posting_id, m.causation_id, m.posted_at
FROM wanted w, (
    SELECT n, 'opened' AS what, 'customer_receivable' AS debit, 'sales' AS credit, amount_minor,
        invoice_id AS posting_id, issuing_id AS causation_id, created_at AS posted_at FROM draft
    UNION ALL SELECT n, 'closed', 'sales', 'customer_receivable', amount_minor, invoice_id, settling_id, settled_at
        FROM draft WHERE state IN ('void', 'expired')
    UNION ALL SELECT n, 'matched', 'provider_clearing', 'customer_receivable', amount_minor, payment_id,
        settling_id, settled_at FROM draft WHERE is_paid
    UNION ALL SELECT n, 'returned', 'sales', 'provider_clearing', amount_minor, refund_id, answering_id, answered_at
        FROM returned WHERE state = 'succeeded'
    UNION ALL SELECT n, 'strayed', 'provider_clearing', 'unapplied_receipts', amount_minor, payment_id,
        recording_id, received_at FROM stray
) m
ORDER BY m.posted_at;

-- ---------------------------------------------------------------- the chains of events

INSERT INTO state_event (aggregate_id, version, machine, studio_id, trigger, from_state, to_state, facts, command_id,
    correlation_id, occurred_at, hash)
SELECT s.aggregate_id, s.version, s.machine, w.studio_id, s.trigger, s.from_state, s.to_state, '{}', s.command_id,
    'history', s.occurred_at, pg_temp.link(s.aggregate_id, s.version)
FROM wanted w, (
    SELECT d.n, d.invoice_id AS aggregate_id, e.* FROM draft d CROSS JOIN LATERAL (VALUES
        (1, 'invoice', 'draw', '', 'draft', d.issuing_id, d.created_at, true),
        (2, 'invoice', 'open', 'draft', 'open', d.issuing_id, d.created_at, true),
        (3, 'invoice', 'pay', 'open', 'paid', d.settling_id, d.settled_at, d.is_paid),
        (3, 'invoice', 'void', 'open', 'void', d.settling_id, d.settled_at, d.state = 'void'),
        (3, 'invoice', 'expire', 'open', 'expired', d.settling_id, d.settled_at, d.state = 'expired')
    ) AS e (version, machine, trigger, from_state, to_state, command_id, occurred_at, is_so) WHERE e.is_so
    UNION ALL SELECT r.n, r.invoice_id, 4, 'invoice', 'refund', 'paid', d.state, r.answering_id, r.answered_at, true
        FROM returned r JOIN draft d USING (n) WHERE r.state = 'succeeded'
    UNION ALL SELECT t.n, t.attempt_id, e.* FROM tried t CROSS JOIN LATERAL (VALUES
        (1, 'payment', 'create', '', 'intent', t.starting_id, t.began_at, true),
        (2, 'payment', 'offer_page', 'intent', 'requires_action', t.starting_id, t.began_at, true),
        (3, 'payment', CASE t.state WHEN 'declined' THEN 'decline' ELSE 'succeed' END, 'requires_action', t.state,
            t.ending_id, t.ended_at, true)
    ) AS e
    UNION ALL SELECT t.n, t.subscription_id, e.* FROM taken t CROSS JOIN LATERAL (VALUES
        (1, 'subscription', 'create', '', 'incomplete', t.issuing_id, t.created_at, true),
        (2, 'subscription', 'activate', 'incomplete', 'active', t.settling_id, t.settled_at, t.is_paid),
        (2, 'subscription', 'cancel', 'incomplete', 'canceled', t.settling_id, t.settled_at,
            t.subscription_state = 'canceled' AND NOT t.is_paid),
        (3, 'subscription', 'cancel', 'active', 'canceled', t.canceling_id, t.settled_at + interval '1 second',
            t.subscription_state = 'canceled' AND t.is_paid)
    ) AS e (version, machine, trigger, from_state, to_state, command_id, occurred_at, is_so) WHERE e.is_so
    UNION ALL SELECT r.n, r.refund_id, e.* FROM returned r CROSS JOIN LATERAL (VALUES
        (1, 'refund', 'request', '', 'requested', r.asking_id, r.asked_at, true),
        (2, 'refund', 'reject', 'requested', 'rejected', r.answering_id, r.answered_at, r.state = 'rejected'),
        (2, 'refund', 'approve', 'requested', 'approved', r.asking_id, r.asked_at, r.state = 'succeeded'),
        (3, 'refund', 'send', 'approved', 'sent', r.asking_id, r.asked_at, r.state = 'succeeded'),
        (4, 'refund', 'succeed', 'sent', 'succeeded', r.answering_id, r.answered_at, r.state = 'succeeded')
    ) AS e (version, machine, trigger, from_state, to_state, command_id, occurred_at, is_so) WHERE e.is_so
) AS s (n, aggregate_id, version, machine, trigger, from_state, to_state, command_id, occurred_at, is_so);

-- ---------------------------------------------------------------- commands and what people did

INSERT INTO command_journal (command_id, studio_id, customer_id, partition, kind, schema_version, body_hash,
    request_hash, principal, correlation_id, accepted_at, republish_at, publish_count, state, answered_at, result,
    problem)
SELECT c.command_id, w.studio_id, c.customer_id, pg_temp.roll(c.n, 17, 8), c.kind, 1,
    sha256(uuid_send(c.command_id)), sha256(uuid_send(c.command_id)), c.principal, 'history', c.accepted_at,
    c.accepted_at + interval '15 seconds', 1, c.state, c.accepted_at + interval '1 second',
    CASE c.state WHEN 'applied' THEN '{}'::jsonb END, CASE WHEN c.state <> 'applied' THEN c.problem::jsonb END
FROM wanted w, (
    SELECT n, issuing_id AS command_id, customer_id,
        CASE WHEN is_first THEN 'CreateSubscription' ELSE 'IssueInvoice' END AS kind,
        CASE WHEN is_first THEN 'customer:' || customer_id ELSE 'cli:history' END AS principal,
        created_at AS accepted_at, 'applied' AS state, NULL AS problem
        FROM draft
    UNION ALL SELECT n, settling_id, customer_id, CASE state WHEN 'void' THEN 'VoidInvoice' ELSE 'ExpireInvoice' END,
        CASE state WHEN 'void' THEN 'cli:history' ELSE 'cron:expire' END, settled_at, 'applied', NULL
        FROM draft WHERE state IN ('void', 'expired')
    UNION ALL SELECT n, starting_id, customer_id, 'StartPayment', 'customer:' || customer_id, began_at, 'applied', NULL
        FROM tried
    UNION ALL SELECT n, ending_id, customer_id, 'RecordPaymentOutcome', 'task:history', ended_at, 'applied', NULL
        FROM tried
    UNION ALL SELECT n, canceling_id, customer_id, 'CancelSubscription', 'customer:' || customer_id,
        settled_at + interval '1 second', 'applied', NULL
        FROM taken WHERE is_paid AND subscription_state = 'canceled'
    UNION ALL SELECT n, asking_id, customer_id, 'RequestRefund', 'cli:history', asked_at, 'applied', NULL FROM returned
    UNION ALL SELECT n, answering_id, customer_id,
        CASE state WHEN 'succeeded' THEN 'RecordRefundOutcome' ELSE 'RejectRefund' END, 'task:history', answered_at,
        'applied', NULL FROM returned WHERE state <> 'requested'
    UNION ALL SELECT n, recording_id, NULL, 'RecordPaymentOutcome', 'task:history', received_at, 'applied', NULL FROM stray
    UNION ALL SELECT n, pg_temp.id_at(settled_at, 'refused', n), customer_id, 'StartPayment',
        'customer:' || customer_id, settled_at, 'refused', '{"code": "transition_refused"}'
        FROM draft WHERE is_paid AND pg_temp.roll(n, 18, 100) = 0
    UNION ALL SELECT n, pg_temp.id_at(received_at, 'parked', n), NULL, 'RecordRefundOutcome', 'task:history',
        received_at, 'parked', '{"code": "ids_disagree"}' FROM stray
) c
ORDER BY c.accepted_at;

INSERT INTO audit (id, studio_id, occurred_at, principal, action, subject_id, facts, remote_address, correlation_id)
SELECT pg_temp.id_at(a.occurred_at, a.action, a.n), w.studio_id, a.occurred_at, a.principal, a.action, a.subject_id,
    '{}', '127.0.0.1', 'history'
FROM wanted w, (
    SELECT n, created_at - interval '1 minute' AS occurred_at, 'customer:' || customer_id AS principal,
        'register' AS action, customer_id AS subject_id FROM taken
    UNION ALL SELECT n, began_at, 'customer:' || customer_id, 'StartPayment', invoice_id FROM tried
        WHERE state = 'succeeded'
    UNION ALL SELECT n, asked_at, 'cli:history', 'RequestRefund', refund_id FROM returned
) a
ORDER BY a.occurred_at;
