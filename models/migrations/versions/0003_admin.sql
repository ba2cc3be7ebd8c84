-- The admin: who signs in, what managers write directly, what every list is read by.

-- ---------------------------------------------------------------- staff

ALTER TABLE staff_member DROP CONSTRAINT staff_member_role_check;
ALTER TABLE staff_member
    ADD CONSTRAINT staff_member_role_check
        CHECK (role IN ('owner', 'manager', 'support', 'ops', 'platform_admin')),
    ADD COLUMN locale text NOT NULL DEFAULT 'ru' CHECK (locale IN ('ru', 'en')),
    ADD COLUMN deactivated_at timestamptz;

-- A customer's refresh token, a staff member's sign-in in a browser, or a token that staff made for a program.
ALTER TABLE session
    ADD COLUMN kind text NOT NULL DEFAULT 'refresh' CHECK (kind IN ('refresh', 'browser', 'token')),
    ADD COLUMN label text,
    ADD CHECK ((kind = 'refresh') = (customer_id IS NOT NULL)),
    ADD CHECK ((kind = 'token') = (label IS NOT NULL));
CREATE INDEX session_staff_member ON session (staff_member_id, id) WHERE staff_member_id IS NOT NULL;

CREATE TABLE invitation (
    id uuid PRIMARY KEY,
    studio_id uuid NOT NULL REFERENCES studio (id),
    email text NOT NULL CHECK (email = lower(email)),
    role text NOT NULL CHECK (role IN ('owner', 'manager', 'support', 'ops', 'platform_admin')),
    invited_by text NOT NULL,
    token_hash bytea NOT NULL UNIQUE,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    accepted_at timestamptz,
    revoked_at timestamptz,
    UNIQUE (studio_id, id)
);

-- How often somebody has failed to sign in lately, by what was tried and from where; names are hashed.
CREATE TABLE sign_in_failure (
    studio_id uuid NOT NULL REFERENCES studio (id),
    subject_hash bytea NOT NULL,
    failures integer NOT NULL CHECK (failures > 0),
    window_ends_at timestamptz NOT NULL,
    PRIMARY KEY (studio_id, subject_hash)
);

-- Enters a studio until the transaction ends, and tells whether a customer's sign-in there still lives: what
-- every request of a customer begins with, in one round trip. With the rights of the caller: row-level security
-- holds for the look as for everything after it.
CREATE FUNCTION enter_studio_as_customer(wanted_studio uuid, wanted_customer uuid, wanted_family uuid)
    RETURNS boolean
    LANGUAGE plpgsql
    AS $$
    BEGIN
        PERFORM set_config('app.studio_id', wanted_studio::text, true);
        RETURN EXISTS (
            SELECT FROM session
            WHERE family_id = wanted_family AND customer_id = wanted_customer AND revoked_at IS NULL);
    END
    $$;
REVOKE ALL ON FUNCTION enter_studio_as_customer(uuid, uuid, uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION enter_studio_as_customer(uuid, uuid, uuid) TO billbus_api;

-- ---------------------------------------------------------------- customers

-- What staff remembers of a customer.
CREATE TABLE customer_note (
    id uuid PRIMARY KEY,
    studio_id uuid NOT NULL,
    customer_id uuid NOT NULL,
    staff_member_id uuid NOT NULL,
    body text NOT NULL,
    created_at timestamptz NOT NULL,
    UNIQUE (studio_id, id),
    FOREIGN KEY (studio_id, customer_id) REFERENCES customer (studio_id, id),
    FOREIGN KEY (studio_id, staff_member_id) REFERENCES staff_member (studio_id, id)
);
CREATE INDEX customer_note_customer ON customer_note (customer_id, id);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON customer_note
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Words of names and addresses. Text search is not leakproof, so under row-level security no index serves it:
-- the search runs as the owner and asks for the studio itself. Words that a thousand and more have are not worth
-- the sorting of all: then it is the newest of some thousand.
CREATE INDEX customer_words ON customer USING gin (to_tsvector('simple', name || ' ' || email));
CREATE FUNCTION customers_matching(wanted_words text, wanted_count integer) RETURNS SETOF uuid
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS $$
        SELECT id FROM (
            SELECT id FROM customer
            WHERE studio_id = NULLIF(current_setting('app.studio_id', true), '')::uuid
              AND to_tsvector('simple', name || ' ' || email) @@ CAST(wanted_words AS tsquery)
            LIMIT 1000
        ) AS matching
        ORDER BY id DESC LIMIT wanted_count
    $$;
REVOKE ALL ON FUNCTION customers_matching(text, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION customers_matching(text, integer) TO billbus_admin;

-- ---------------------------------------------------------------- audit

ALTER TABLE audit ADD COLUMN before jsonb, ADD COLUMN after jsonb;
CREATE INDEX audit_subject ON audit (subject_id, occurred_at) WHERE subject_id IS NOT NULL;
CREATE INDEX audit_principal ON audit (studio_id, principal, occurred_at);
CREATE INDEX audit_action ON audit (studio_id, action, occurred_at);

-- ---------------------------------------------------------------- lists

-- The newest first is the order of the keys (UUIDv7), which UNIQUE (studio_id, id) serves already.
CREATE INDEX invoice_state ON invoice (studio_id, state, id);
CREATE INDEX subscription_state ON subscription (studio_id, state, id);
CREATE INDEX subscription_price ON subscription (price_id, state);
CREATE INDEX payment_attempt_state ON payment_attempt (studio_id, state, id);
CREATE INDEX provider_payment_received ON provider_payment (studio_id, received_at, id);
CREATE INDEX refund_created ON refund (studio_id, created_at, id);
CREATE INDEX state_event_command ON state_event (command_id);
CREATE INDEX command_journal_studio ON command_journal (studio_id, sequence) WHERE state <> 'applied';
-- Appended in the order of time and hardly ever asked: a few pages instead of an entry per row.
CREATE INDEX ledger_transfer_posted ON ledger_transfer USING brin (posted_at);
CREATE INDEX payment_attempt_created ON payment_attempt USING brin (created_at);
CREATE INDEX command_journal_answered ON command_journal USING brin (answered_at);

-- ---------------------------------------------------------------- machines

INSERT INTO machine_transition (machine, from_state, to_state) VALUES ('subscription', 'active', 'active');

-- ---------------------------------------------------------------- row-level security

DO $$
DECLARE
    tenant_table text;
BEGIN
    FOREACH tenant_table IN ARRAY ARRAY['invitation', 'sign_in_failure', 'customer_note'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', tenant_table);
        EXECUTE format(
            'CREATE POLICY tenant ON %I TO billbus_api, billbus_admin USING (studio_id = '
            || 'NULLIF(current_setting(''app.studio_id'', true), '''')::uuid)', tenant_table
        );
        EXECUTE format(
            'CREATE POLICY house ON %I TO billbus_updater, billbus_relay, billbus_worker, billbus_events, '
            || 'billbus_cron, billbus_verify USING (true)', tenant_table
        );
        EXECUTE format('CREATE POLICY platform ON %I FOR SELECT TO billbus_platform USING (true)', tenant_table);
    END LOOP;
END
$$;

-- ---------------------------------------------------------------- who writes what

-- The admin reads its studio, but neither what is sealed nor what a customer's password was hashed to.
GRANT SELECT ON studio, clock_offset, staff_member, session, invitation, sign_in_failure, customer_note, plan,
    price, subscription, invoice, invoice_line, payment_attempt, provider_payment, refund, provider_call,
    ledger_account, ledger_transfer, state_event, audit, command_journal, callback_inbox, inbox, outbox,
    machine_transition, alembic_version TO billbus_admin;
GRANT SELECT (id, studio_id, email, name, locale, created_at, metadata) ON customer TO billbus_admin;
GRANT SELECT (id, studio_id, provider, public_id, api_url, widget_script_url, is_test, is_active, created_at)
    ON provider_account TO billbus_admin;
GRANT SELECT (id, studio_id, customer_id, provider_account_id, card_mask, card_expires, created_at)
    ON payment_method TO billbus_admin;

-- It writes people, the catalog and contracts directly, and commands into the journal: never a machine's state.
GRANT INSERT ON studio, ledger_account, staff_member, session, invitation, customer, customer_note, plan, price,
    provider_account, command_journal, audit TO billbus_admin;
GRANT INSERT, UPDATE ON sign_in_failure TO billbus_admin, billbus_api;
GRANT SELECT ON sign_in_failure TO billbus_api;
GRANT UPDATE (name, role, locale, password_hash, deactivated_at) ON staff_member TO billbus_admin;
GRANT UPDATE (revoked_at) ON session TO billbus_admin;
GRANT UPDATE (accepted_at, revoked_at) ON invitation TO billbus_admin;
GRANT UPDATE (name, description, is_active) ON plan TO billbus_admin;
GRANT UPDATE (sealed_secret, api_url, widget_script_url, is_active) ON provider_account TO billbus_admin;
GRANT UPDATE (allowed_origins) ON studio TO billbus_admin;
-- A parked command is put back or answered; what it says is never changed.
GRANT UPDATE (state, answered_at, result, problem, tries, publish_count, republish_at) ON command_journal
    TO billbus_admin;

GRANT SELECT (id, studio_id, email, name, role, locale, created_at, deactivated_at) ON staff_member
    TO billbus_platform;

-- ---------------------------------------------------------------- invariants

-- What the world is told of goes by the step, no longer by the state that it reached: a subscription that was
-- changed is as active as one that was activated.
DROP VIEW invariant.announcement CASCADE;

CREATE VIEW invariant.announcement AS
    SELECT * FROM (VALUES
        ('subscription', 'create', 'subscription.created', 'subscription_id'),
        ('subscription', 'activate', 'subscription.activated', 'subscription_id'),
        ('subscription', 'change', 'subscription.changed', 'subscription_id'),
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
COMMENT ON VIEW invariant.announcement IS 'The event that tells of a step, and the field of its body that holds the id.';

CREATE VIEW invariant.always_step_is_announced AS
    WITH step AS (
        -- One command may give two early refunds their place: two steps of one invoice, told by two rows.
        SELECT e.studio_id, e.aggregate_id, e.command_id, told.kind, told.id_field, max(e.version) AS version,
            count(*) AS steps
        FROM state_event e JOIN invariant.announcement told USING (machine, trigger)
        GROUP BY e.studio_id, e.aggregate_id, e.command_id, told.kind, told.id_field
    )
    SELECT s.studio_id, s.aggregate_id || ' v' || s.version AS subject,
        s.kind || ' is ' || count(o.id) || ' times in the outbox' AS fault
    FROM step s
    LEFT JOIN outbox o ON o.causation_id = s.command_id AND o.channel = 'event' AND o.kind = s.kind
        AND o.studio_id = s.studio_id AND o.body ->> s.id_field = s.aggregate_id::text
    GROUP BY s.studio_id, s.aggregate_id, s.command_id, s.kind, s.version, s.steps
    HAVING count(o.id) <> s.steps;
COMMENT ON VIEW invariant.always_step_is_announced IS 'I13: every step that the world is told of has one row in the outbox, by the command that made the step.';

CREATE VIEW invariant.always_announcement_is_true AS
    SELECT o.studio_id, o.id::text AS subject, o.kind || ' tells of nothing that its command did' AS fault
    FROM outbox o
    LEFT JOIN invariant.announcement told USING (kind)
    LEFT JOIN state_event e ON e.command_id = o.causation_id AND e.machine = told.machine
        AND e.trigger = told.trigger AND e.aggregate_id::text = o.body ->> told.id_field
    LEFT JOIN ledger_transfer t ON t.causation_id = o.causation_id AND o.kind = 'payment.unapplied'
        AND t.posting_id::text = o.body ->> 'payment_id'
    WHERE o.channel = 'event'
    GROUP BY o.id HAVING count(e.version) = 0 AND count(t.id) = 0;
COMMENT ON VIEW invariant.always_announcement_is_true IS 'I13: every event that leaves tells of something that the command behind it did.';

-- Who asks for a look-up changes nothing yet: the task is all the trace there is.
CREATE OR REPLACE VIEW invariant.always_applied_command_has_effects AS
    SELECT j.studio_id, j.command_id::text AS subject, j.kind || ' was applied and left no trace' AS fault
    FROM command_journal j
    WHERE j.state = 'applied'
        AND NOT coalesce(j.result ?| ARRAY['unchanged', 'page_still_open'], false)
        AND NOT EXISTS (SELECT FROM state_event e WHERE e.command_id = j.command_id)
        AND NOT EXISTS (SELECT FROM ledger_transfer t WHERE t.causation_id = j.command_id)
        AND NOT EXISTS (
            SELECT FROM outbox o
            WHERE o.causation_id = j.command_id AND o.kind IN ('look_up_payment', 'look_up_refund'));
COMMENT ON VIEW invariant.always_applied_command_has_effects IS 'I1, I3: an applied command whose result does not say that nothing changed owns an event, a transfer or a look-up.';

GRANT SELECT ON invariant.announcement, invariant.always_step_is_announced, invariant.always_announcement_is_true
    TO billbus_verify;
