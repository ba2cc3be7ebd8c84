-- Made by `billbus docs schema` from models/migrations/versions; not edited by hand.

-- 0001_spine.sql

-- The spine: studios, people, catalog, subscriptions, invoices, payments, refunds, books, events, bus.
-- Money is integer minor units. Instants are timestamptz. A tenant table carries studio_id, and foreign keys
-- between tenant tables carry it too, so that no row can point into another studio.

-- ---------------------------------------------------------------- tenants and people

CREATE TABLE studio (
    id uuid PRIMARY KEY,
    name text NOT NULL,
    host text NOT NULL UNIQUE CHECK (host = lower(host)),
    timezone text NOT NULL,
    locale text NOT NULL DEFAULT 'ru' CHECK (locale IN ('ru', 'en')),
    currency char(3) NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    allowed_origins text[] NOT NULL DEFAULT '{}',
    refund_policy text NOT NULL DEFAULT 'staff' CHECK (refund_policy IN ('staff', 'automatic')),
    invoice_lifetime_seconds integer NOT NULL DEFAULT 259200 CHECK (invoice_lifetime_seconds > 0),
    seller_studio_id uuid REFERENCES studio (id),
    seller_subscription_id uuid,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    metadata jsonb NOT NULL DEFAULT '{}',
    UNIQUE (id, currency)
);

-- Test studios live at another time; no row means zero.
CREATE TABLE clock_offset (
    studio_id uuid PRIMARY KEY REFERENCES studio (id),
    offset_seconds bigint NOT NULL
);

CREATE TABLE customer (
    id uuid PRIMARY KEY,
    studio_id uuid NOT NULL REFERENCES studio (id),
    email text NOT NULL CHECK (email = lower(email)),
    name text NOT NULL,
    locale text NOT NULL DEFAULT 'ru' CHECK (locale IN ('ru', 'en')),
    password_hash text,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    metadata jsonb NOT NULL DEFAULT '{}',
    UNIQUE (studio_id, id),
    UNIQUE (studio_id, email)
);

CREATE TABLE staff_member (
    id uuid PRIMARY KEY,
    studio_id uuid NOT NULL REFERENCES studio (id),
    email text NOT NULL CHECK (email = lower(email)),
    name text NOT NULL,
    role text NOT NULL CHECK (role IN ('owner', 'manager', 'support', 'ops')),
    password_hash text,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (studio_id, id),
    UNIQUE (studio_id, email)
);

-- One row per refresh token; the tokens of one sign-in are a family, revoked together when one is used twice.
CREATE TABLE session (
    id uuid PRIMARY KEY,
    studio_id uuid NOT NULL REFERENCES studio (id),
    customer_id uuid,
    staff_member_id uuid,
    family_id uuid NOT NULL,
    token_hash bytea NOT NULL UNIQUE,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    rotated_at timestamptz,
    revoked_at timestamptz,
    CHECK (num_nonnulls(customer_id, staff_member_id) = 1),
    FOREIGN KEY (studio_id, customer_id) REFERENCES customer (studio_id, id),
    FOREIGN KEY (studio_id, staff_member_id) REFERENCES staff_member (studio_id, id)
);
CREATE INDEX session_family ON session (family_id);

-- ---------------------------------------------------------------- catalog

CREATE TABLE plan (
    id uuid PRIMARY KEY,
    studio_id uuid NOT NULL REFERENCES studio (id),
    code text NOT NULL,
    name text NOT NULL,
    description text NOT NULL DEFAULT '',
    is_active boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    metadata jsonb NOT NULL DEFAULT '{}',
    UNIQUE (studio_id, id),
    UNIQUE (studio_id, code)
);

-- A price is never edited: a change is a new version with its own date.
CREATE TABLE price (
    id uuid PRIMARY KEY,
    studio_id uuid NOT NULL,
    plan_id uuid NOT NULL,
    version integer NOT NULL CHECK (version > 0),
    amount_minor bigint NOT NULL CHECK (amount_minor > 0),
    currency char(3) NOT NULL,
    period_unit text NOT NULL CHECK (period_unit IN ('day', 'week', 'month', 'year')),
    period_count integer NOT NULL CHECK (period_count BETWEEN 1 AND 366),
    effective_from timestamptz NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (studio_id, id),
    UNIQUE (plan_id, period_unit, period_count, version),
    FOREIGN KEY (studio_id, plan_id) REFERENCES plan (studio_id, id),
    FOREIGN KEY (studio_id, currency) REFERENCES studio (id, currency)
);

-- ---------------------------------------------------------------- machines

CREATE TABLE machine_transition (
    machine text NOT NULL,
    from_state text NOT NULL,
    to_state text NOT NULL,
    PRIMARY KEY (machine, from_state, to_state)
);

INSERT INTO machine_transition (machine, from_state, to_state) VALUES
    ('invoice', '', 'draft'),
    ('invoice', 'draft', 'open'),
    ('invoice', 'draft', 'void'),
    ('invoice', 'open', 'void'),
    ('invoice', 'open', 'expired'),
    ('invoice', 'open', 'paid'),
    ('invoice', 'paid', 'partially_refunded'),
    ('invoice', 'paid', 'refunded'),
    ('invoice', 'partially_refunded', 'partially_refunded'),
    ('invoice', 'partially_refunded', 'refunded'),
    ('payment', '', 'intent'),
    ('payment', 'intent', 'sent'),
    ('payment', 'intent', 'requires_action'),
    ('payment', 'intent', 'canceled'),
    ('payment', 'sent', 'requires_action'),
    ('payment', 'sent', 'pending'),
    ('payment', 'sent', 'succeeded'),
    ('payment', 'sent', 'declined'),
    ('payment', 'sent', 'not_sent'),
    ('payment', 'sent', 'unknown'),
    ('payment', 'requires_action', 'pending'),
    ('payment', 'requires_action', 'succeeded'),
    ('payment', 'requires_action', 'declined'),
    ('payment', 'requires_action', 'not_sent'),
    ('payment', 'requires_action', 'unknown'),
    ('payment', 'requires_action', 'canceled'),
    ('payment', 'pending', 'requires_action'),
    ('payment', 'pending', 'succeeded'),
    ('payment', 'pending', 'declined'),
    ('payment', 'pending', 'not_sent'),
    ('payment', 'pending', 'unknown'),
    ('payment', 'unknown', 'requires_action'),
    ('payment', 'unknown', 'pending'),
    ('payment', 'unknown', 'succeeded'),
    ('payment', 'unknown', 'declined'),
    ('payment', 'unknown', 'not_sent'),
    ('payment', 'declined', 'succeeded'),
    ('payment', 'canceled', 'succeeded'),
    ('payment', 'not_sent', 'succeeded'),
    ('refund', '', 'requested'),
    ('refund', '', 'succeeded'),
    ('refund', 'requested', 'approved'),
    ('refund', 'requested', 'rejected'),
    ('refund', 'requested', 'withdrawn'),
    ('refund', 'approved', 'withdrawn'),
    ('refund', 'approved', 'sent'),
    ('refund', 'sent', 'succeeded'),
    ('refund', 'sent', 'declined'),
    ('refund', 'sent', 'unknown'),
    ('refund', 'unknown', 'succeeded'),
    ('refund', 'unknown', 'declined'),
    ('refund', 'declined', 'succeeded'),
    ('subscription', '', 'incomplete'),
    ('subscription', 'incomplete', 'active'),
    ('subscription', 'incomplete', 'canceled'),
    ('subscription', 'active', 'canceled');

-- The second enforcement of the tables in billing/: a state that no transition declares cannot be written,
-- whoever writes, and every step is one version.
CREATE FUNCTION check_machine_transition() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    left_state text := '';
    expected_version integer := 1;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        left_state := OLD.state;
        expected_version := OLD.version + 1;
    END IF;
    IF NEW.version <> expected_version THEN
        RAISE EXCEPTION '% %: version % does not follow', TG_ARGV[0], NEW.id, NEW.version
            USING ERRCODE = 'check_violation';
    END IF;
    IF NOT EXISTS (
        SELECT FROM machine_transition t
        WHERE t.machine = TG_ARGV[0] AND t.from_state = left_state
          AND t.to_state = NEW.state
    ) THEN
        RAISE EXCEPTION '% %: no transition from "%" to "%"', TG_ARGV[0], NEW.id, left_state, NEW.state
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END
$$;

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END
$$;

-- ---------------------------------------------------------------- subscriptions and invoices

CREATE TABLE subscription (
    id uuid PRIMARY KEY,
    studio_id uuid NOT NULL,
    customer_id uuid NOT NULL,
    price_id uuid NOT NULL,
    state text NOT NULL,
    version integer NOT NULL,
    head_hash bytea NOT NULL,
    current_period_start timestamptz,
    current_period_end timestamptz,
    canceled_at timestamptz,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    metadata jsonb NOT NULL DEFAULT '{}',
    UNIQUE (studio_id, id),
    FOREIGN KEY (studio_id, customer_id) REFERENCES customer (studio_id, id),
    FOREIGN KEY (studio_id, price_id) REFERENCES price (studio_id, id),
    CHECK (state <> 'active' OR current_period_end > current_period_start)
);
CREATE INDEX subscription_customer ON subscription (customer_id, id);

CREATE TABLE invoice_counter (
    studio_id uuid NOT NULL REFERENCES studio (id),
    year smallint NOT NULL,
    last_number integer NOT NULL CHECK (last_number > 0),
    PRIMARY KEY (studio_id, year)
);

CREATE TABLE invoice (
    id uuid PRIMARY KEY,
    studio_id uuid NOT NULL,
    customer_id uuid NOT NULL,
    subscription_id uuid,
    state text NOT NULL,
    version integer NOT NULL,
    head_hash bytea NOT NULL,
    number text,
    currency char(3) NOT NULL,
    total_minor bigint NOT NULL CHECK (total_minor > 0),
    paid_minor bigint NOT NULL DEFAULT 0 CHECK (paid_minor BETWEEN 0 AND total_minor),
    refunded_minor bigint NOT NULL DEFAULT 0 CHECK (refunded_minor BETWEEN 0 AND paid_minor),
    expires_at timestamptz NOT NULL,
    opened_at timestamptz,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    metadata jsonb NOT NULL DEFAULT '{}',
    UNIQUE (studio_id, id),
    UNIQUE (studio_id, number),
    FOREIGN KEY (studio_id, currency) REFERENCES studio (id, currency),
    FOREIGN KEY (studio_id, customer_id) REFERENCES customer (studio_id, id),
    FOREIGN KEY (studio_id, subscription_id) REFERENCES subscription (studio_id, id),
    CHECK ((number IS NULL) = (opened_at IS NULL)),
    CHECK (opened_at IS NOT NULL OR state IN ('draft', 'void'))
);
CREATE INDEX invoice_customer ON invoice (customer_id, id);
CREATE INDEX invoice_subscription ON invoice (subscription_id);
CREATE INDEX invoice_expiry ON invoice (expires_at) WHERE state = 'open';

CREATE TABLE invoice_line (
    id uuid PRIMARY KEY,
    studio_id uuid NOT NULL,
    invoice_id uuid NOT NULL,
    position smallint NOT NULL,
    price_id uuid,
    description text NOT NULL,
    quantity integer NOT NULL CHECK (quantity > 0),
    unit_amount_minor bigint NOT NULL CHECK (unit_amount_minor > 0),
    amount_minor bigint NOT NULL CHECK (amount_minor = quantity * unit_amount_minor),
    UNIQUE (invoice_id, position),
    FOREIGN KEY (studio_id, invoice_id) REFERENCES invoice (studio_id, id),
    FOREIGN KEY (studio_id, price_id) REFERENCES price (studio_id, id)
);

-- ---------------------------------------------------------------- payments and refunds

-- The secret is sealed with the installation's key; a database dump alone reveals none.
CREATE TABLE provider_account (
    id uuid PRIMARY KEY,
    studio_id uuid NOT NULL REFERENCES studio (id),
    provider text NOT NULL CHECK (provider IN ('cloudpayments')),
    public_id text NOT NULL,
    sealed_secret bytea NOT NULL,
    api_url text NOT NULL,
    widget_script_url text NOT NULL,
    is_test boolean NOT NULL,
    is_active boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (studio_id, id),
    UNIQUE (studio_id, provider, public_id)
);

CREATE TABLE payment_method (
    id uuid PRIMARY KEY,
    studio_id uuid NOT NULL,
    customer_id uuid NOT NULL,
    provider_account_id uuid NOT NULL,
    sealed_token bytea NOT NULL,
    card_mask text NOT NULL,
    card_expires text,
    created_at timestamptz NOT NULL,
    UNIQUE (studio_id, id),
    FOREIGN KEY (studio_id, customer_id) REFERENCES customer (studio_id, id),
    FOREIGN KEY (studio_id, provider_account_id) REFERENCES provider_account (studio_id, id)
);

CREATE TABLE payment_attempt (
    id uuid PRIMARY KEY,
    studio_id uuid NOT NULL,
    customer_id uuid NOT NULL,
    invoice_id uuid NOT NULL,
    provider_account_id uuid NOT NULL,
    method text NOT NULL CHECK (method IN ('widget', 'link')),
    state text NOT NULL,
    version integer NOT NULL,
    head_hash bytea NOT NULL,
    amount_minor bigint NOT NULL CHECK (amount_minor > 0),
    currency char(3) NOT NULL,
    return_url text NOT NULL,
    redirect_url text,
    decline_code text,
    decline_category text,
    declines integer NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    UNIQUE (studio_id, id),
    FOREIGN KEY (studio_id, customer_id) REFERENCES customer (studio_id, id),
    FOREIGN KEY (studio_id, invoice_id) REFERENCES invoice (studio_id, id),
    FOREIGN KEY (studio_id, provider_account_id) REFERENCES provider_account (studio_id, id)
);
-- Over all channels: a widget, a link and a saved card can never race each other for one invoice.
CREATE UNIQUE INDEX payment_attempt_live ON payment_attempt (invoice_id)
    WHERE state IN ('intent', 'sent', 'requires_action', 'pending', 'unknown');
CREATE INDEX payment_attempt_invoice ON payment_attempt (invoice_id, id);

-- Money that a provider says it took, matched to an invoice or not.
CREATE TABLE provider_payment (
    id uuid PRIMARY KEY,
    studio_id uuid NOT NULL,
    provider_account_id uuid NOT NULL,
    transaction_id text NOT NULL,
    attempt_id uuid,
    invoice_id uuid,
    amount_minor bigint NOT NULL CHECK (amount_minor > 0),
    currency char(3) NOT NULL,
    unapplied_reason text,
    refunded_minor bigint NOT NULL DEFAULT 0 CHECK (refunded_minor BETWEEN 0 AND amount_minor),
    reserved_minor bigint NOT NULL DEFAULT 0 CHECK (reserved_minor >= 0),
    card_mask text,
    received_at timestamptz NOT NULL,
    UNIQUE (studio_id, id),
    UNIQUE (provider_account_id, transaction_id),
    FOREIGN KEY (studio_id, provider_account_id) REFERENCES provider_account (studio_id, id),
    FOREIGN KEY (studio_id, attempt_id) REFERENCES payment_attempt (studio_id, id),
    FOREIGN KEY (studio_id, invoice_id) REFERENCES invoice (studio_id, id),
    CHECK ((invoice_id IS NULL) = (unapplied_reason IS NOT NULL))
);
CREATE INDEX provider_payment_invoice ON provider_payment (invoice_id);
CREATE INDEX provider_payment_unapplied ON provider_payment (studio_id) WHERE invoice_id IS NULL;

CREATE TABLE refund (
    id uuid PRIMARY KEY,
    studio_id uuid NOT NULL,
    customer_id uuid,
    invoice_id uuid,
    provider_payment_id uuid,
    provider_account_id uuid NOT NULL,
    state text NOT NULL,
    version integer NOT NULL,
    head_hash bytea NOT NULL,
    amount_minor bigint NOT NULL CHECK (amount_minor > 0),
    currency char(3) NOT NULL,
    origin text NOT NULL CHECK (origin IN ('customer', 'staff', 'provider')),
    reason text NOT NULL,
    payment_transaction_id text,
    provider_refund_id text,
    decline_code text,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    UNIQUE (studio_id, id),
    UNIQUE (provider_account_id, provider_refund_id),
    FOREIGN KEY (studio_id, customer_id) REFERENCES customer (studio_id, id),
    FOREIGN KEY (studio_id, invoice_id) REFERENCES invoice (studio_id, id),
    FOREIGN KEY (studio_id, provider_payment_id) REFERENCES provider_payment (studio_id, id),
    FOREIGN KEY (studio_id, provider_account_id) REFERENCES provider_account (studio_id, id)
);
CREATE INDEX refund_payment ON refund (provider_payment_id);
CREATE INDEX refund_invoice ON refund (invoice_id);
-- Refunds that the provider told us of before it told us of the payment.
CREATE INDEX refund_early ON refund (provider_account_id, payment_transaction_id)
    WHERE provider_payment_id IS NULL;

-- The worker's record: committed before any byte leaves for the provider.
CREATE TABLE provider_call (
    id uuid PRIMARY KEY,
    studio_id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('create', 'refund', 'look_up')),
    attempt_id uuid,
    refund_id uuid,
    call_number integer NOT NULL CHECK (call_number > 0),
    request_id text NOT NULL,
    body_hash bytea NOT NULL,
    started_at timestamptz NOT NULL,
    lease_until timestamptz NOT NULL,
    outcome text,
    answer jsonb,
    finished_at timestamptz,
    next_at timestamptz,
    CHECK (num_nonnulls(attempt_id, refund_id) = 1),
    CHECK ((outcome IS NULL) = (finished_at IS NULL)),
    UNIQUE (attempt_id, call_number),
    UNIQUE (refund_id, call_number),
    FOREIGN KEY (studio_id, attempt_id) REFERENCES payment_attempt (studio_id, id),
    FOREIGN KEY (studio_id, refund_id) REFERENCES refund (studio_id, id)
);
-- The live row is the lease: one call at a time per attempt and per refund.
CREATE UNIQUE INDEX provider_call_live_attempt ON provider_call (attempt_id) WHERE finished_at IS NULL;
CREATE UNIQUE INDEX provider_call_live_refund ON provider_call (refund_id) WHERE finished_at IS NULL;
CREATE INDEX provider_call_lease ON provider_call (lease_until) WHERE finished_at IS NULL;
CREATE INDEX provider_call_due ON provider_call (next_at) WHERE next_at IS NOT NULL;

-- ---------------------------------------------------------------- books and events

-- Money may arrive in a currency the studio does not sell in; it gets accounts of its own.
CREATE TABLE ledger_account (
    id uuid PRIMARY KEY,
    studio_id uuid NOT NULL REFERENCES studio (id),
    kind text NOT NULL,
    currency char(3) NOT NULL,
    UNIQUE (studio_id, kind, currency),
    UNIQUE (studio_id, id, currency)
);

-- One row moves one sum from one account to another: balanced by construction.
CREATE TABLE ledger_transfer (
    id uuid PRIMARY KEY,
    studio_id uuid NOT NULL,
    debit_account_id uuid NOT NULL,
    credit_account_id uuid NOT NULL,
    amount_minor bigint NOT NULL CHECK (amount_minor > 0),
    currency char(3) NOT NULL,
    posting_id uuid NOT NULL,
    causation_id uuid NOT NULL,
    posted_at timestamptz NOT NULL,
    CHECK (debit_account_id <> credit_account_id),
    FOREIGN KEY (studio_id, debit_account_id, currency) REFERENCES ledger_account (studio_id, id, currency),
    FOREIGN KEY (studio_id, credit_account_id, currency) REFERENCES ledger_account (studio_id, id, currency)
);
CREATE INDEX ledger_transfer_posting ON ledger_transfer (posting_id);

-- The chain of what happened to one aggregate: gap-free versions, each hash over the one before.
CREATE TABLE state_event (
    aggregate_id uuid NOT NULL,
    version integer NOT NULL CHECK (version > 0),
    machine text NOT NULL,
    studio_id uuid NOT NULL REFERENCES studio (id),
    trigger text NOT NULL,
    from_state text NOT NULL,
    to_state text NOT NULL,
    facts jsonb NOT NULL,
    command_id uuid NOT NULL,
    correlation_id text NOT NULL,
    occurred_at timestamptz NOT NULL,
    hash bytea NOT NULL CHECK (length(hash) = 32),
    PRIMARY KEY (aggregate_id, version)
);

CREATE TABLE audit (
    id uuid PRIMARY KEY,
    studio_id uuid NOT NULL REFERENCES studio (id),
    occurred_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    principal text NOT NULL,
    action text NOT NULL,
    subject_id uuid,
    facts jsonb NOT NULL DEFAULT '{}',
    remote_address inet,
    correlation_id text NOT NULL
);
CREATE INDEX audit_studio ON audit (studio_id, occurred_at);

-- ---------------------------------------------------------------- bus

-- Every command, whoever sends it: first a row here, in the sender's transaction. The row is the senders'
-- outbox until it is applied, and the consumer's inbox: who has changed it from 'accepted' has applied it.
CREATE TABLE command_journal (
    command_id uuid PRIMARY KEY,
    sequence bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
    studio_id uuid NOT NULL REFERENCES studio (id),
    customer_id uuid,
    partition smallint NOT NULL,
    kind text NOT NULL,
    schema_version smallint NOT NULL,
    body bytea,
    body_hash bytea NOT NULL,
    request_hash bytea NOT NULL,
    principal text NOT NULL,
    correlation_id text NOT NULL,
    causation_id uuid,
    accepted_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    republish_at timestamptz NOT NULL DEFAULT clock_timestamp() + interval '15 seconds',
    publish_count integer NOT NULL DEFAULT 0,
    tries integer NOT NULL DEFAULT 0,
    state text NOT NULL DEFAULT 'accepted' CHECK (state IN ('accepted', 'applied', 'refused', 'parked')),
    answered_at timestamptz,
    result jsonb,
    problem jsonb,
    CHECK ((state = 'accepted') = (answered_at IS NULL)),
    CHECK (state NOT IN ('refused', 'parked') OR problem IS NOT NULL)
);
CREATE INDEX command_journal_waiting ON command_journal (partition, sequence) WHERE state = 'accepted';
CREATE INDEX command_journal_republish ON command_journal (republish_at) WHERE state = 'accepted';
CREATE INDEX command_journal_parked ON command_journal (sequence) WHERE state = 'parked';

-- What leaves after commit: events for the bus, tasks for the workers. Ids and amounts only.
CREATE TABLE outbox (
    id uuid PRIMARY KEY,
    sequence bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
    studio_id uuid NOT NULL REFERENCES studio (id),
    channel text NOT NULL CHECK (channel IN ('event', 'task')),
    kind text NOT NULL,
    schema_version smallint NOT NULL,
    body jsonb NOT NULL,
    correlation_id text NOT NULL,
    causation_id uuid NOT NULL,
    created_at timestamptz NOT NULL,
    claimed_until timestamptz,
    publish_count integer NOT NULL DEFAULT 0,
    published_at timestamptz
);
CREATE INDEX outbox_waiting ON outbox (sequence) WHERE published_at IS NULL;

-- What each consumer of events has had; on the embedded bus also where it waits.
CREATE TABLE inbox (
    consumer text NOT NULL,
    event_id uuid NOT NULL,
    sequence bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
    studio_id uuid NOT NULL REFERENCES studio (id),
    kind text NOT NULL,
    schema_version smallint NOT NULL,
    body bytea NOT NULL,
    correlation_id text NOT NULL,
    received_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    due_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    tries integer NOT NULL DEFAULT 0,
    state text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'done', 'parked')),
    PRIMARY KEY (consumer, event_id)
);
CREATE INDEX inbox_waiting ON inbox (consumer, due_at, sequence) WHERE state = 'waiting';

-- Callbacks as they came, each once.
CREATE TABLE callback_inbox (
    id uuid PRIMARY KEY,
    studio_id uuid NOT NULL,
    provider_account_id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('pay', 'fail', 'refund')),
    deduplication_hash bytea NOT NULL,
    body bytea,
    signature text NOT NULL,
    received_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    command_id uuid,
    set_aside text,
    UNIQUE (provider_account_id, deduplication_hash),
    CHECK (num_nonnulls(command_id, set_aside) = 1),
    FOREIGN KEY (studio_id, provider_account_id) REFERENCES provider_account (studio_id, id)
);

CREATE TABLE job_run (
    job text NOT NULL,
    due_at timestamptz NOT NULL,
    started_at timestamptz NOT NULL,
    finished_at timestamptz,
    outcome text,
    PRIMARY KEY (job, due_at)
);

-- ---------------------------------------------------------------- triggers

CREATE TRIGGER machine BEFORE INSERT OR UPDATE OF state, version ON subscription
    FOR EACH ROW EXECUTE FUNCTION check_machine_transition('subscription');
CREATE TRIGGER machine BEFORE INSERT OR UPDATE OF state, version ON invoice
    FOR EACH ROW EXECUTE FUNCTION check_machine_transition('invoice');
CREATE TRIGGER machine BEFORE INSERT OR UPDATE OF state, version ON payment_attempt
    FOR EACH ROW EXECUTE FUNCTION check_machine_transition('payment');
CREATE TRIGGER machine BEFORE INSERT OR UPDATE OF state, version ON refund
    FOR EACH ROW EXECUTE FUNCTION check_machine_transition('refund');

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON state_event
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_transfer
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON price
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- ---------------------------------------------------------------- look-ups before the studio is known

CREATE FUNCTION studio_of_host(wanted_host text) RETURNS uuid
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS 'SELECT id FROM studio WHERE host = lower(wanted_host)';
CREATE FUNCTION studio_of_provider_account(wanted_account uuid) RETURNS uuid
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
    AS 'SELECT studio_id FROM provider_account WHERE id = wanted_account';
REVOKE ALL ON FUNCTION studio_of_host(text), studio_of_provider_account(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION studio_of_host(text), studio_of_provider_account(uuid)
    TO billbus_api, billbus_admin;

-- ---------------------------------------------------------------- row-level security

DO $$
DECLARE
    tenant_table text;
BEGIN
    FOREACH tenant_table IN ARRAY ARRAY[
        'clock_offset', 'customer', 'staff_member', 'session', 'plan', 'price', 'subscription',
        'invoice_counter', 'invoice', 'invoice_line', 'provider_account', 'payment_method',
        'payment_attempt', 'provider_payment', 'refund', 'provider_call', 'ledger_account',
        'ledger_transfer', 'state_event', 'audit', 'command_journal', 'outbox', 'inbox', 'callback_inbox',
        'studio'
    ] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', tenant_table);
        EXECUTE format(
            'CREATE POLICY tenant ON %I TO billbus_api, billbus_admin USING (%I = '
            || 'NULLIF(current_setting(''app.studio_id'', true), '''')::uuid)',
            tenant_table, CASE tenant_table WHEN 'studio' THEN 'id' ELSE 'studio_id' END
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

GRANT USAGE ON SCHEMA public TO billbus_api, billbus_admin, billbus_updater, billbus_relay, billbus_worker,
    billbus_events, billbus_cron, billbus_verify, billbus_platform;
GRANT SELECT ON machine_transition TO billbus_api, billbus_admin, billbus_updater, billbus_verify;

GRANT SELECT ON studio, customer, session, plan, price, subscription, invoice, invoice_line, provider_account,
    payment_method, payment_attempt, provider_payment, refund, state_event, command_journal, callback_inbox,
    clock_offset, alembic_version TO billbus_api;
GRANT INSERT ON customer, session, command_journal, callback_inbox, audit TO billbus_api;
GRANT UPDATE (rotated_at, revoked_at) ON session TO billbus_api;
GRANT UPDATE (password_hash) ON customer TO billbus_api;

-- No password hash and no sealed secret goes where it is not used.
GRANT SELECT ON studio, clock_offset, plan, price TO billbus_updater;
GRANT SELECT (id, studio_id) ON customer TO billbus_updater;
GRANT SELECT (id, studio_id, is_active) ON provider_account TO billbus_updater;
GRANT SELECT, INSERT, UPDATE ON subscription, invoice_counter, invoice, payment_attempt, provider_payment,
    refund TO billbus_updater;
GRANT SELECT, INSERT ON invoice_line, ledger_account, ledger_transfer, state_event, outbox TO billbus_updater;
GRANT SELECT, UPDATE (state, answered_at, result, problem, tries, publish_count, republish_at)
    ON command_journal TO billbus_updater;

GRANT SELECT ON command_journal, outbox, provider_payment TO billbus_relay;
GRANT UPDATE (republish_at, publish_count) ON command_journal TO billbus_relay;
GRANT UPDATE (claimed_until, publish_count, published_at) ON outbox TO billbus_relay;
GRANT SELECT, INSERT, UPDATE ON inbox TO billbus_relay;

GRANT SELECT ON studio, clock_offset, subscription, invoice, payment_attempt, provider_account,
    provider_payment, refund, state_event TO billbus_worker;
GRANT SELECT, INSERT, UPDATE ON provider_call TO billbus_worker;
GRANT SELECT, INSERT ON command_journal TO billbus_worker;
GRANT SELECT, INSERT, UPDATE ON job_run TO billbus_worker;

GRANT SELECT ON ALL TABLES IN SCHEMA public TO billbus_verify;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO billbus_platform;
REVOKE SELECT ON session, customer, staff_member, provider_account, payment_method, callback_inbox
    FROM billbus_verify, billbus_platform;
GRANT SELECT (id, studio_id, provider, public_id, is_test, is_active, created_at) ON provider_account
    TO billbus_verify, billbus_platform;
GRANT SELECT (id, studio_id, created_at) ON customer TO billbus_verify, billbus_platform;

-- 0002_invariants.sql

-- What must be true of the books, as views that return what is not: an empty view is a proof over all rows.
-- `always_*` holds in any snapshot, also in the middle of a fault; `settled_*` once the system has come to rest.
-- Each returns (studio_id, subject, fault): where, which row, and what is wrong with it. Nothing here trusts the
-- triggers, the constraints or the product's code: that they failed is what would be seen.

CREATE SCHEMA invariant;

-- ---------------------------------------------------------------- what the views share; not proofs themselves

CREATE VIEW invariant.aggregate AS
    SELECT 'subscription' AS machine, id, studio_id, state, version, head_hash FROM subscription
    UNION ALL SELECT 'invoice', id, studio_id, state, version, head_hash FROM invoice
    UNION ALL SELECT 'payment', id, studio_id, state, version, head_hash FROM payment_attempt
    UNION ALL SELECT 'refund', id, studio_id, state, version, head_hash FROM refund;
COMMENT ON VIEW invariant.aggregate IS 'Every row that a machine moves.';

CREATE VIEW invariant.announcement AS
    SELECT * FROM (VALUES
        ('subscription', 'incomplete', 'subscription.created', 'subscription_id'),
        ('subscription', 'active', 'subscription.activated', 'subscription_id'),
        ('subscription', 'canceled', 'subscription.canceled', 'subscription_id'),
        ('invoice', 'open', 'invoice.opened', 'invoice_id'),
        ('invoice', 'paid', 'invoice.paid', 'invoice_id'),
        ('invoice', 'void', 'invoice.voided', 'invoice_id'),
        ('invoice', 'expired', 'invoice.expired', 'invoice_id'),
        ('invoice', 'partially_refunded', 'invoice.refunded', 'invoice_id'),
        ('invoice', 'refunded', 'invoice.refunded', 'invoice_id'),
        ('payment', 'succeeded', 'payment.succeeded', 'attempt_id'),
        ('payment', 'declined', 'payment.failed', 'attempt_id'),
        ('refund', 'requested', 'refund.requested', 'refund_id'),
        ('refund', 'rejected', 'refund.rejected', 'refund_id'),
        ('refund', 'succeeded', 'refund.succeeded', 'refund_id'),
        ('refund', 'declined', 'refund.declined', 'refund_id')
    ) AS told (machine, to_state, kind, id_field);
COMMENT ON VIEW invariant.announcement IS 'The event that tells of a state that was reached, and the field of its body that holds the id.';

CREATE VIEW invariant.process_role AS
    SELECT oid, rolname FROM pg_roles
    WHERE rolname IN ('billbus_api', 'billbus_admin', 'billbus_updater', 'billbus_relay', 'billbus_worker',
        'billbus_events', 'billbus_cron', 'billbus_verify', 'billbus_platform');
COMMENT ON VIEW invariant.process_role IS 'The roles that processes run as.';

-- Balances are debit less credit, so that an account of income or of debt is negative.
CREATE VIEW invariant.account_balance AS
    SELECT a.studio_id, a.kind, a.currency::text, sum(m.amount_minor) AS balance_minor
    FROM ledger_account a
    JOIN (
        SELECT debit_account_id AS account_id, amount_minor FROM ledger_transfer
        UNION ALL SELECT credit_account_id, -amount_minor FROM ledger_transfer
    ) m ON m.account_id = a.id
    GROUP BY a.studio_id, a.kind, a.currency;
COMMENT ON VIEW invariant.account_balance IS 'The balance of each ledger account that has moved, debit less credit.';

CREATE VIEW invariant.expected_balance AS
    SELECT studio_id, kind, currency::text, sum(amount_minor) AS balance_minor
    FROM (
        SELECT studio_id, 'customer_receivable' AS kind, currency, total_minor - paid_minor AS amount_minor
            FROM invoice WHERE state = 'open'
        UNION ALL SELECT studio_id, 'sales', currency,
                -CASE WHEN state IN ('void', 'expired') THEN paid_minor ELSE total_minor END
            FROM invoice WHERE opened_at IS NOT NULL
        UNION ALL SELECT studio_id, 'sales', currency, refunded_minor
            FROM provider_payment WHERE invoice_id IS NOT NULL
        UNION ALL SELECT studio_id, 'provider_clearing', currency, amount_minor FROM provider_payment
        UNION ALL SELECT studio_id, 'provider_clearing', currency, -amount_minor
            FROM refund WHERE state = 'succeeded'
        UNION ALL SELECT studio_id, 'unapplied_receipts', currency, refunded_minor - amount_minor
            FROM provider_payment WHERE invoice_id IS NULL
        UNION ALL SELECT studio_id, 'unapplied_refunds', currency, amount_minor
            FROM refund WHERE state = 'succeeded'
        UNION ALL SELECT studio_id, 'unapplied_refunds', currency, -refunded_minor FROM provider_payment
    ) movement
    GROUP BY studio_id, kind, currency;
COMMENT ON VIEW invariant.expected_balance IS 'What each ledger account should hold, from invoices, payments and refunds alone.';

CREATE VIEW invariant.balance_difference AS
    SELECT studio_id, kind, currency, coalesce(b.balance_minor, 0) AS balance_minor,
        coalesce(e.balance_minor, 0) AS expected_minor
    FROM invariant.account_balance b FULL JOIN invariant.expected_balance e USING (studio_id, kind, currency)
    WHERE coalesce(b.balance_minor, 0) <> coalesce(e.balance_minor, 0);
COMMENT ON VIEW invariant.balance_difference IS 'Ledger accounts that do not hold what they should.';

CREATE VIEW invariant.posting AS
    SELECT t.id, t.studio_id, t.posting_id, d.kind AS debit, c.kind AS credit, t.amount_minor,
        t.currency::text, t.causation_id
    FROM ledger_transfer t
    JOIN ledger_account d ON d.id = t.debit_account_id
    JOIN ledger_account c ON c.id = t.credit_account_id;
COMMENT ON VIEW invariant.posting IS 'Ledger transfers with the kinds of their accounts.';

-- ---------------------------------------------------------------- commands

CREATE VIEW invariant.always_event_of_applied_command AS
    SELECT e.studio_id, e.aggregate_id || ' v' || e.version AS subject,
        'command ' || e.command_id || ' is ' || coalesce(j.state, 'not in the journal') AS fault
    FROM state_event e
    LEFT JOIN command_journal j ON j.command_id = e.command_id AND j.studio_id = e.studio_id
    WHERE j.state IS DISTINCT FROM 'applied';
COMMENT ON VIEW invariant.always_event_of_applied_command IS 'I2, I3: every state event was caused by a command of the same studio that the journal holds as applied.';

CREATE VIEW invariant.always_transfer_of_applied_command AS
    SELECT t.studio_id, t.id::text AS subject,
        'command ' || t.causation_id || ' is ' || coalesce(j.state, 'not in the journal') AS fault
    FROM ledger_transfer t
    LEFT JOIN command_journal j ON j.command_id = t.causation_id AND j.studio_id = t.studio_id
    WHERE j.state IS DISTINCT FROM 'applied';
COMMENT ON VIEW invariant.always_transfer_of_applied_command IS 'I3: no sum moves in the books but by a command of the same studio that the journal holds as applied.';

CREATE VIEW invariant.always_outbox_of_applied_command AS
    SELECT o.studio_id, o.id::text AS subject,
        'command ' || o.causation_id || ' is ' || coalesce(j.state, 'not in the journal') AS fault
    FROM outbox o
    LEFT JOIN command_journal j ON j.command_id = o.causation_id AND j.studio_id = o.studio_id
    WHERE j.state IS DISTINCT FROM 'applied';
COMMENT ON VIEW invariant.always_outbox_of_applied_command IS 'I3, I13: nothing leaves through the outbox but by a command of the same studio that the journal holds as applied.';

CREATE VIEW invariant.always_applied_command_has_effects AS
    SELECT j.studio_id, j.command_id::text AS subject, j.kind || ' was applied and left no trace' AS fault
    FROM command_journal j
    WHERE j.state = 'applied'
        AND NOT coalesce(j.result ?| ARRAY['unchanged', 'page_still_open'], false)
        AND NOT EXISTS (SELECT FROM state_event e WHERE e.command_id = j.command_id)
        AND NOT EXISTS (SELECT FROM ledger_transfer t WHERE t.causation_id = j.command_id);
COMMENT ON VIEW invariant.always_applied_command_has_effects IS 'I1, I3: an applied command whose result does not say that nothing changed owns an event or a transfer.';

CREATE VIEW invariant.always_result_names_what_exists AS
    SELECT j.studio_id, j.command_id::text AS subject, named.field || ' ' || named.id || ' does not exist' AS fault
    FROM command_journal j
    CROSS JOIN LATERAL (VALUES
        ('subscription_id', j.result ->> 'subscription_id'), ('invoice_id', j.result ->> 'invoice_id'),
        ('attempt_id', j.result ->> 'attempt_id'), ('refund_id', j.result ->> 'refund_id'),
        ('payment_id', j.result ->> 'payment_id')
    ) AS named (field, id)
    WHERE j.state = 'applied' AND named.id IS NOT NULL
        AND NOT EXISTS (
            SELECT FROM invariant.aggregate a WHERE a.id = named.id::uuid AND a.studio_id = j.studio_id)
        AND NOT EXISTS (
            SELECT FROM provider_payment p WHERE p.id = named.id::uuid AND p.studio_id = j.studio_id);
COMMENT ON VIEW invariant.always_result_names_what_exists IS 'I3: what the result of an applied command names exists in the command''s own studio.';

CREATE VIEW invariant.always_command_body_is_as_accepted AS
    SELECT studio_id, command_id::text AS subject, 'the body is not the one that was accepted' AS fault
    FROM command_journal WHERE body IS NOT NULL AND sha256(body) <> body_hash;
COMMENT ON VIEW invariant.always_command_body_is_as_accepted IS 'I2: a command''s body is what its hash was taken over when it was accepted.';

CREATE VIEW invariant.settled_command_is_answered AS
    SELECT studio_id, command_id::text AS subject, kind || ' is accepted and waits' AS fault
    FROM command_journal WHERE state = 'accepted';
COMMENT ON VIEW invariant.settled_command_is_answered IS 'I1: at rest no accepted command is without an answer.';

-- ---------------------------------------------------------------- books

CREATE VIEW invariant.always_receivable_is_what_is_due AS
    SELECT studio_id, currency AS subject, 'books ' || balance_minor || ', open invoices ' || expected_minor AS fault
    FROM invariant.balance_difference WHERE kind = 'customer_receivable';
COMMENT ON VIEW invariant.always_receivable_is_what_is_due IS 'I4: what customers owe in the books is the sum still due on open invoices.';

CREATE VIEW invariant.always_sales_are_what_was_invoiced AS
    SELECT studio_id, currency AS subject, 'books ' || balance_minor || ', invoices ' || expected_minor AS fault
    FROM invariant.balance_difference WHERE kind = 'sales';
COMMENT ON VIEW invariant.always_sales_are_what_was_invoiced IS 'I4: sales in the books are the invoices that stand, less what was given back of them.';

CREATE VIEW invariant.always_clearing_is_what_providers_hold AS
    SELECT studio_id, currency AS subject, 'books ' || balance_minor || ', payments ' || expected_minor AS fault
    FROM invariant.balance_difference WHERE kind = 'provider_clearing';
COMMENT ON VIEW invariant.always_clearing_is_what_providers_hold IS 'I4: the clearing account is the sum of received payments less succeeded refunds.';

CREATE VIEW invariant.always_unapplied_receipts_are_accounted AS
    SELECT studio_id, currency AS subject, 'books ' || balance_minor || ', payments ' || expected_minor AS fault
    FROM invariant.balance_difference WHERE kind = 'unapplied_receipts';
COMMENT ON VIEW invariant.always_unapplied_receipts_are_accounted IS 'I4: unapplied receipts are the sum of unmatched payments less what was given back of them.';

CREATE VIEW invariant.always_unapplied_refunds_are_accounted AS
    SELECT studio_id, currency AS subject, 'books ' || balance_minor || ', refunds ' || expected_minor AS fault
    FROM invariant.balance_difference WHERE kind = 'unapplied_refunds';
COMMENT ON VIEW invariant.always_unapplied_refunds_are_accounted IS 'I4: unapplied refunds are what was given back beyond every payment that we know of.';

CREATE VIEW invariant.always_balances_sum_to_zero AS
    SELECT studio_id, currency AS subject, 'the accounts sum to ' || sum(balance_minor) AS fault
    FROM invariant.account_balance GROUP BY studio_id, currency HAVING sum(balance_minor) <> 0;
COMMENT ON VIEW invariant.always_balances_sum_to_zero IS 'I4: the accounts of a studio sum to zero in each currency.';

CREATE VIEW invariant.always_payment_is_posted_once AS
    SELECT p.studio_id, p.id::text AS subject,
        p.amount_minor || ' received, ' || coalesce(sum(t.amount_minor), 0) || ' posted in ' || count(t.id) AS fault
    FROM provider_payment p
    LEFT JOIN invariant.posting t ON t.posting_id = p.id AND t.studio_id = p.studio_id
        AND t.currency = p.currency AND t.debit = 'provider_clearing'
        AND t.credit = CASE WHEN p.invoice_id IS NULL THEN 'unapplied_receipts' ELSE 'customer_receivable' END
    GROUP BY p.id HAVING count(t.id) <> 1 OR sum(t.amount_minor) <> p.amount_minor;
COMMENT ON VIEW invariant.always_payment_is_posted_once IS 'I5: every sum that a provider says it took has one posting of that sum, to the account that fits it.';

CREATE VIEW invariant.always_refund_is_posted_once AS
    SELECT r.studio_id, r.id::text AS subject,
        r.amount_minor || ' given back, ' || coalesce(sum(t.amount_minor), 0) || ' posted in ' || count(t.id) AS fault
    FROM refund r
    LEFT JOIN invariant.posting t ON t.posting_id = r.id AND t.studio_id = r.studio_id
        AND t.currency = r.currency AND t.credit = 'provider_clearing'
    GROUP BY r.id
    HAVING coalesce(sum(t.amount_minor), 0) <> CASE r.state WHEN 'succeeded' THEN r.amount_minor ELSE 0 END
        OR count(t.id) <> count(DISTINCT t.debit);
COMMENT ON VIEW invariant.always_refund_is_posted_once IS 'I5: a succeeded refund is posted once with its whole sum, and a refund that has not succeeded is not posted.';

CREATE VIEW invariant.always_invoice_is_posted_once AS
    SELECT i.studio_id, i.id::text AS subject,
        'opened ' || count(t.id) FILTER (WHERE t.credit = 'sales')
            || ' times, closed ' || count(t.id) FILTER (WHERE t.debit = 'sales') || ' times in the books' AS fault
    FROM invoice i LEFT JOIN invariant.posting t ON t.posting_id = i.id AND t.studio_id = i.studio_id
    GROUP BY i.id
    HAVING count(t.id) FILTER (WHERE t.debit = 'customer_receivable' AND t.credit = 'sales'
            AND t.amount_minor = i.total_minor) <> CASE WHEN i.opened_at IS NULL THEN 0 ELSE 1 END
        OR count(t.id) FILTER (WHERE t.debit = 'sales' AND t.credit = 'customer_receivable'
            AND t.amount_minor = i.total_minor - i.paid_minor)
            <> CASE WHEN i.opened_at IS NOT NULL AND i.state IN ('void', 'expired') THEN 1 ELSE 0 END
        OR count(t.id) <> CASE WHEN i.opened_at IS NULL THEN 0
            WHEN i.state IN ('void', 'expired') THEN 2 ELSE 1 END;
COMMENT ON VIEW invariant.always_invoice_is_posted_once IS 'I4: an invoice enters the books once with its total when it is opened, and leaves them once with what was due when it is void or expired.';

CREATE VIEW invariant.always_posting_has_its_subject AS
    SELECT t.studio_id, t.id::text AS subject,
        t.debit || ' to ' || t.credit || ' for ' || t.posting_id || ', which is no such thing here' AS fault
    FROM invariant.posting t
    WHERE NOT CASE
        WHEN t.debit = 'provider_clearing' AND t.credit IN ('customer_receivable', 'unapplied_receipts') THEN EXISTS (
            SELECT FROM provider_payment p WHERE p.id = t.posting_id AND p.studio_id = t.studio_id)
        WHEN t.credit IN ('provider_clearing', 'unapplied_refunds')
            AND t.debit IN ('sales', 'unapplied_receipts', 'unapplied_refunds') THEN EXISTS (
            SELECT FROM refund r WHERE r.id = t.posting_id AND r.studio_id = t.studio_id AND r.state = 'succeeded')
        WHEN (t.debit, t.credit) IN (('customer_receivable', 'sales'), ('sales', 'customer_receivable')) THEN EXISTS (
            SELECT FROM invoice i WHERE i.id = t.posting_id AND i.studio_id = t.studio_id)
        ELSE false
    END;
COMMENT ON VIEW invariant.always_posting_has_its_subject IS 'I5: every transfer is one of the kinds the books know, for a payment, succeeded refund or invoice of the same studio.';

-- ---------------------------------------------------------------- invoices and payments

CREATE VIEW invariant.always_invoice_paid_is_matched_money AS
    SELECT i.studio_id, i.id::text AS subject,
        'says ' || i.paid_minor || ' paid, matched payments are ' || coalesce(sum(p.amount_minor), 0) AS fault
    FROM invoice i LEFT JOIN provider_payment p ON p.invoice_id = i.id
    GROUP BY i.id
    HAVING i.paid_minor <> coalesce(sum(p.amount_minor), 0) OR coalesce(sum(p.amount_minor), 0) > i.total_minor;
COMMENT ON VIEW invariant.always_invoice_paid_is_matched_money IS 'I6: what an invoice says is paid is the money matched to it, and never more than its total.';

CREATE VIEW invariant.always_invoice_refunded_is_given_back AS
    SELECT i.studio_id, i.id::text AS subject,
        'says ' || i.refunded_minor || ' refunded, its payments say ' || coalesce(sum(p.refunded_minor), 0) AS fault
    FROM invoice i LEFT JOIN provider_payment p ON p.invoice_id = i.id
    GROUP BY i.id HAVING i.refunded_minor <> coalesce(sum(p.refunded_minor), 0);
COMMENT ON VIEW invariant.always_invoice_refunded_is_given_back IS 'I18: what an invoice says is refunded is what was given back of the payments matched to it.';

CREATE VIEW invariant.always_invoice_state_fits_its_sums AS
    SELECT studio_id, id::text AS subject,
        state || ' with total ' || total_minor || ', paid ' || paid_minor || ', refunded ' || refunded_minor AS fault
    FROM invoice
    WHERE NOT CASE state
        WHEN 'draft' THEN paid_minor = 0
        WHEN 'open' THEN paid_minor < total_minor AND refunded_minor = 0
        WHEN 'paid' THEN paid_minor = total_minor AND refunded_minor = 0
        WHEN 'partially_refunded' THEN paid_minor = total_minor AND refunded_minor BETWEEN 1 AND paid_minor - 1
        WHEN 'refunded' THEN paid_minor = total_minor AND refunded_minor = paid_minor
        ELSE paid_minor < total_minor
    END;
COMMENT ON VIEW invariant.always_invoice_state_fits_its_sums IS 'I4: the state of an invoice says what its sums say.';

CREATE VIEW invariant.always_invoice_total_is_its_lines AS
    SELECT i.studio_id, i.id::text AS subject,
        'total ' || i.total_minor || ', lines ' || coalesce(sum(l.amount_minor), 0) AS fault
    FROM invoice i LEFT JOIN invoice_line l ON l.invoice_id = i.id AND l.studio_id = i.studio_id
    GROUP BY i.id HAVING i.total_minor <> coalesce(sum(l.amount_minor), 0);
COMMENT ON VIEW invariant.always_invoice_total_is_its_lines IS 'I4: the total of an invoice is the sum of its lines.';

CREATE VIEW invariant.always_invoice_numbers_are_gapless AS
    WITH numbered AS (
        SELECT studio_id, substring(number FROM '^(\d{4})-\d+$')::int AS year,
            substring(number FROM '^\d{4}-(\d+)$')::int AS position, number
        FROM invoice WHERE number IS NOT NULL
    ), counted AS (
        SELECT studio_id, year, count(*) AS count, min(position) AS first, max(position) AS last,
            count(DISTINCT position) AS positions
        FROM numbered WHERE year IS NOT NULL GROUP BY studio_id, year
    )
    SELECT studio_id, number AS subject, 'is no year and position' AS fault FROM numbered WHERE year IS NULL
    UNION ALL
    SELECT studio_id, year::text,
        'counter at ' || coalesce(k.last_number, 0) || ', ' || coalesce(n.count, 0) || ' invoices from '
            || coalesce(n.first, 0) || ' to ' || coalesce(n.last, 0)
    FROM counted n FULL JOIN invoice_counter k USING (studio_id, year)
    WHERE (k.last_number, n.count, n.positions, n.first, n.last)
        IS DISTINCT FROM (n.last, n.last::bigint, n.last::bigint, 1, n.last);
COMMENT ON VIEW invariant.always_invoice_numbers_are_gapless IS 'The invoice numbers of a studio''s year run from 1 to its counter without gap or repeat.';

CREATE VIEW invariant.always_invoice_expired_in_time AS
    SELECT e.studio_id, i.id::text AS subject,
        'expired at ' || e.occurred_at || ', could be paid until ' || i.expires_at AS fault
    FROM state_event e JOIN invoice i ON i.id = e.aggregate_id
    WHERE e.to_state = 'expired' AND e.occurred_at < i.expires_at;
COMMENT ON VIEW invariant.always_invoice_expired_in_time IS 'I20: no invoice expires before its time by the database''s clock.';

CREATE VIEW invariant.always_matched_payment_fits AS
    SELECT p.studio_id, p.id::text AS subject,
        'is matched to invoice ' || p.invoice_id || ' by attempt ' || coalesce(p.attempt_id::text, 'none') AS fault
    FROM provider_payment p
    LEFT JOIN payment_attempt a ON a.id = p.attempt_id
    LEFT JOIN invoice i ON i.id = p.invoice_id
    WHERE p.invoice_id IS NOT NULL AND (
        p.invoice_id, p.provider_account_id, p.currency, p.studio_id, p.studio_id, a.customer_id)
        IS DISTINCT FROM (
        a.invoice_id, a.provider_account_id, i.currency, a.studio_id, i.studio_id, i.customer_id);
COMMENT ON VIEW invariant.always_matched_payment_fits IS 'I16: money matched to an invoice came through an attempt for it, by that attempt''s provider account, in its currency.';

CREATE VIEW invariant.always_attempt_pays_once AS
    SELECT studio_id, attempt_id::text AS subject, count(*) || ' payments matched' AS fault
    FROM provider_payment WHERE invoice_id IS NOT NULL GROUP BY studio_id, attempt_id HAVING count(*) > 1;
COMMENT ON VIEW invariant.always_attempt_pays_once IS 'I6: one attempt brings an invoice money once; what a page takes a second time is unapplied.';

CREATE VIEW invariant.always_succeeded_attempt_has_money AS
    SELECT a.studio_id, a.id::text AS subject, a.state || ' with ' || count(p.id) || ' payments' AS fault
    FROM payment_attempt a LEFT JOIN provider_payment p ON p.attempt_id = a.id
    GROUP BY a.id HAVING (a.state = 'succeeded') <> (count(p.id) > 0);
COMMENT ON VIEW invariant.always_succeeded_attempt_has_money IS 'I5: an attempt has succeeded exactly when a provider says it took money for it.';

CREATE VIEW invariant.always_paid_subscription_is_active AS
    SELECT s.studio_id, s.id::text AS subject, 'incomplete, though invoice ' || i.id || ' is ' || i.state AS fault
    FROM subscription s JOIN invoice i ON i.subscription_id = s.id
    WHERE s.state = 'incomplete' AND i.state IN ('paid', 'partially_refunded', 'refunded');
COMMENT ON VIEW invariant.always_paid_subscription_is_active IS 'I10: a subscription whose invoice is paid does not stay incomplete.';

CREATE VIEW invariant.always_active_subscription_was_paid AS
    SELECT s.studio_id, s.id::text AS subject, 'active without a paid invoice' AS fault
    FROM subscription s
    WHERE s.state = 'active' AND NOT EXISTS (
        SELECT FROM invoice i WHERE i.subscription_id = s.id
            AND i.state IN ('paid', 'partially_refunded', 'refunded'));
COMMENT ON VIEW invariant.always_active_subscription_was_paid IS 'I10: no subscription is active without an invoice that was paid: unapplied money gives nothing.';

CREATE VIEW invariant.always_one_live_attempt AS
    SELECT studio_id, invoice_id::text AS subject, count(*) || ' live attempts' AS fault
    FROM payment_attempt
    WHERE state IN ('intent', 'sent', 'requires_action', 'pending', 'unknown')
    GROUP BY studio_id, invoice_id HAVING count(*) > 1;
COMMENT ON VIEW invariant.always_one_live_attempt IS 'I7: an invoice has at most one live attempt.';

CREATE VIEW invariant.always_one_live_attempt_ever AS
    WITH life AS (
        SELECT a.studio_id, a.invoice_id, a.id,
            min(e.occurred_at) AS born_at,
            min(e.occurred_at) FILTER (WHERE e.to_state NOT IN
                ('intent', 'sent', 'requires_action', 'pending', 'unknown')) AS ended_at
        FROM payment_attempt a JOIN state_event e ON e.aggregate_id = a.id
        GROUP BY a.id
    ), span AS (
        SELECT studio_id, invoice_id, id, tstzrange(born_at, greatest(ended_at, born_at)) AS live_during
        FROM life WHERE ended_at IS NOT NULL
        UNION ALL SELECT studio_id, invoice_id, id, tstzrange(born_at, NULL) FROM life WHERE ended_at IS NULL
    )
    SELECT one.studio_id, one.invoice_id::text AS subject,
        one.id || ' and ' || other.id || ' were live together' AS fault
    FROM span one JOIN span other ON other.invoice_id = one.invoice_id AND other.id > one.id
        AND other.live_during && one.live_during;
COMMENT ON VIEW invariant.always_one_live_attempt_ever IS 'I7: replayed from the events, an invoice never had two live attempts at one time.';

CREATE VIEW invariant.always_unknown_needs_evidence AS
    SELECT e.studio_id, e.aggregate_id || ' v' || e.version AS subject,
        e.from_state || ' to ' || e.to_state || ' by ' || coalesce(j.principal, 'nobody') AS fault
    FROM state_event e LEFT JOIN command_journal j ON j.command_id = e.command_id
    WHERE e.machine IN ('payment', 'refund') AND e.from_state IN ('sent', 'pending', 'unknown')
        AND coalesce(j.principal, '') NOT LIKE 'callback:%' AND coalesce(j.principal, '') NOT LIKE 'task:%';
COMMENT ON VIEW invariant.always_unknown_needs_evidence IS 'I8: what is out at a provider moves on only by what the provider said: by a callback or the answer to a call.';

CREATE VIEW invariant.always_answer_was_recorded AS
    SELECT e.studio_id, e.aggregate_id || ' v' || e.version AS subject,
        e.from_state || ' to ' || e.to_state || ' by ' || j.principal || ' without a finished call' AS fault
    FROM state_event e JOIN command_journal j ON j.command_id = e.command_id
    WHERE e.machine IN ('payment', 'refund') AND e.from_state IN ('sent', 'pending', 'unknown')
        AND j.principal LIKE 'task:%' AND NOT EXISTS (
            SELECT FROM provider_call c
            WHERE c.studio_id = e.studio_id AND coalesce(c.attempt_id, c.refund_id) = e.aggregate_id
                AND c.finished_at IS NOT NULL);
COMMENT ON VIEW invariant.always_answer_was_recorded IS 'I8: an outcome that a task reports is the answer to a call that was recorded before it went out.';

CREATE VIEW invariant.always_one_live_call AS
    SELECT studio_id, coalesce(attempt_id, refund_id)::text AS subject, count(*) || ' calls out' AS fault
    FROM provider_call WHERE finished_at IS NULL
    GROUP BY studio_id, coalesce(attempt_id, refund_id) HAVING count(*) > 1;
COMMENT ON VIEW invariant.always_one_live_call IS 'I6: at most one call to a provider is out for an attempt or a refund.';

-- ---------------------------------------------------------------- refunds

CREATE VIEW invariant.always_refunded_is_what_refunds_gave AS
    SELECT p.studio_id, p.id::text AS subject,
        'says ' || p.refunded_minor || ' of ' || p.amount_minor || ', refunds gave ' || coalesce(sum(r.amount_minor), 0)
            AS fault
    FROM provider_payment p
    LEFT JOIN refund r ON r.provider_payment_id = p.id AND r.state = 'succeeded'
    GROUP BY p.id HAVING p.refunded_minor <> least(p.amount_minor, coalesce(sum(r.amount_minor), 0));
COMMENT ON VIEW invariant.always_refunded_is_what_refunds_gave IS 'I18: what a payment says was given back is the sum of its succeeded refunds, up to what was captured.';

CREATE VIEW invariant.always_reserved_is_what_refunds_wait_for AS
    SELECT p.studio_id, p.id::text AS subject,
        'says ' || p.reserved_minor || ', waiting refunds are ' || coalesce(sum(r.amount_minor), 0) AS fault
    FROM provider_payment p
    LEFT JOIN refund r ON r.provider_payment_id = p.id AND r.state IN ('requested', 'approved', 'sent', 'unknown')
    GROUP BY p.id HAVING p.reserved_minor <> coalesce(sum(r.amount_minor), 0);
COMMENT ON VIEW invariant.always_reserved_is_what_refunds_wait_for IS 'I18: what a payment has reserved is the sum of its refunds that are on their way.';

-- A refund that is out cannot be called back when the provider tells of another; one that only waits can.
CREATE VIEW invariant.always_refunds_stay_within_captured AS
    SELECT p.studio_id, p.id::text AS subject,
        p.refunded_minor || ' refunded and ' || p.reserved_minor || ' reserved of ' || p.amount_minor AS fault
    FROM provider_payment p
    WHERE p.refunded_minor > p.amount_minor
        OR p.refunded_minor + p.reserved_minor > p.amount_minor AND (
            EXISTS (SELECT FROM refund r
                WHERE r.provider_payment_id = p.id AND r.state IN ('requested', 'approved'))
            OR p.refunded_minor = 0);
COMMENT ON VIEW invariant.always_refunds_stay_within_captured IS 'I18: what was given back and what waits to be is within what was captured; only a refund that is out already may be too much.';

CREATE VIEW invariant.always_refund_fits_its_payment AS
    SELECT r.studio_id, r.id::text AS subject, 'is of payment ' || p.id || ' and not in its likeness' AS fault
    FROM refund r JOIN provider_payment p ON p.id = r.provider_payment_id
    WHERE (r.studio_id, r.provider_account_id, r.currency, r.invoice_id)
        IS DISTINCT FROM (p.studio_id, p.provider_account_id, p.currency, p.invoice_id);
COMMENT ON VIEW invariant.always_refund_fits_its_payment IS 'I18: a refund has its payment''s studio, provider account, currency and invoice.';

-- ---------------------------------------------------------------- chains of events

CREATE VIEW invariant.always_versions_are_gapless AS
    SELECT min(studio_id::text)::uuid AS studio_id, aggregate_id::text AS subject,
        count(*) || ' events from version ' || min(version) || ' to ' || max(version) AS fault
    FROM state_event GROUP BY aggregate_id HAVING min(version) <> 1 OR max(version) <> count(*);
COMMENT ON VIEW invariant.always_versions_are_gapless IS 'I12: the events of an aggregate have the versions 1 to n.';

CREATE VIEW invariant.always_steps_follow AS
    SELECT studio_id, aggregate_id || ' v' || version AS subject,
        'leaves "' || from_state || '", the step before reached "' || previous || '"' AS fault
    FROM (
        SELECT *, coalesce(lag(to_state) OVER steps, '') AS previous,
            coalesce(lag(machine) OVER steps, machine) AS previous_machine,
            coalesce(lag(studio_id) OVER steps, studio_id) AS previous_studio_id
        FROM state_event WINDOW steps AS (PARTITION BY aggregate_id ORDER BY version)
    ) step
    WHERE (from_state, machine, studio_id) IS DISTINCT FROM (previous, previous_machine, previous_studio_id);
COMMENT ON VIEW invariant.always_steps_follow IS 'I12: each step of an aggregate leaves the state that the step before has reached.';

CREATE VIEW invariant.always_step_is_declared AS
    SELECT e.studio_id, e.aggregate_id || ' v' || e.version AS subject,
        e.machine || ' has no step from "' || e.from_state || '" to "' || e.to_state || '"' AS fault
    FROM state_event e
    WHERE NOT EXISTS (
        SELECT FROM machine_transition t
        WHERE (t.machine, t.from_state, t.to_state) = (e.machine, e.from_state, e.to_state));
COMMENT ON VIEW invariant.always_step_is_declared IS 'I12: every step that ever happened is one that its machine declares.';

CREATE VIEW invariant.always_row_is_its_last_event AS
    SELECT coalesce(a.studio_id, e.studio_id) AS studio_id, coalesce(a.id, e.aggregate_id)::text AS subject,
        coalesce('row at ' || a.state || ' v' || a.version, 'no row') || ', '
            || coalesce('last event at ' || e.to_state || ' v' || e.version, 'no event') AS fault
    FROM invariant.aggregate a
    FULL JOIN (
        SELECT DISTINCT ON (aggregate_id) * FROM state_event ORDER BY aggregate_id, version DESC
    ) e ON e.aggregate_id = a.id
    WHERE (a.machine, a.studio_id, a.state, a.version, a.head_hash)
        IS DISTINCT FROM (e.machine, e.studio_id, e.to_state, e.version, e.hash);
COMMENT ON VIEW invariant.always_row_is_its_last_event IS 'I12: state, version and head hash of a row are those of its last event.';

CREATE VIEW invariant.always_terminal_states_stay AS
    WITH terminal (machine, state) AS (VALUES
        ('subscription', 'canceled'), ('invoice', 'void'), ('invoice', 'expired'), ('invoice', 'refunded'),
        ('payment', 'succeeded'), ('refund', 'succeeded'), ('refund', 'rejected'), ('refund', 'withdrawn'))
    SELECT e.studio_id, e.aggregate_id || ' v' || e.version AS subject,
        'left "' || e.from_state || '" for "' || e.to_state || '"' AS fault
    FROM state_event e JOIN terminal t ON (t.machine, t.state) = (e.machine, e.from_state)
    UNION ALL
    SELECT NULL, d.machine, 'declares a step from "' || d.from_state || '" to "' || d.to_state || '"'
    FROM machine_transition d JOIN terminal t ON (t.machine, t.state) = (d.machine, d.from_state);
COMMENT ON VIEW invariant.always_terminal_states_stay IS 'I17: nothing leaves an end state: paid money is undone by a refund, never by another status.';

CREATE VIEW invariant.always_step_is_announced AS
    WITH step AS (
        -- One command may give two early refunds their place: two steps of one invoice, told by two rows.
        SELECT e.studio_id, e.aggregate_id, e.command_id, told.kind, told.id_field, max(e.version) AS version,
            count(*) AS steps
        FROM state_event e JOIN invariant.announcement told USING (machine, to_state)
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
        AND e.to_state = told.to_state AND e.aggregate_id::text = o.body ->> told.id_field
    LEFT JOIN ledger_transfer t ON t.causation_id = o.causation_id AND o.kind = 'payment.unapplied'
        AND t.posting_id::text = o.body ->> 'payment_id'
    WHERE o.channel = 'event'
    GROUP BY o.id HAVING count(e.version) = 0 AND count(t.id) = 0;
COMMENT ON VIEW invariant.always_announcement_is_true IS 'I13: every event that leaves tells of something that the command behind it did.';

CREATE VIEW invariant.always_sent_work_has_its_task AS
    SELECT e.studio_id, e.aggregate_id || ' v' || e.version AS subject, 'sent without a task' AS fault
    FROM state_event e
    WHERE e.machine IN ('payment', 'refund') AND e.trigger = 'send' AND NOT EXISTS (
        SELECT FROM outbox o
        WHERE o.causation_id = e.command_id AND o.channel = 'task'
            AND e.aggregate_id::text IN (o.body ->> 'attempt_id', o.body ->> 'refund_id'));
COMMENT ON VIEW invariant.always_sent_work_has_its_task IS 'I13: an attempt or refund that is sent left its task in the outbox in the same transaction.';

-- ---------------------------------------------------------------- callbacks

CREATE VIEW invariant.always_callback_has_its_command AS
    SELECT c.studio_id, c.id::text AS subject, 'names command ' || c.command_id || ', which is not there' AS fault
    FROM callback_inbox c
    WHERE c.command_id IS NOT NULL AND NOT EXISTS (
        SELECT FROM command_journal j WHERE j.command_id = c.command_id AND j.studio_id = c.studio_id);
COMMENT ON VIEW invariant.always_callback_has_its_command IS 'I1: a stored callback that became a command has that command in its studio''s journal.';

CREATE VIEW invariant.always_callback_command_was_heard AS
    SELECT j.studio_id, j.command_id::text AS subject, j.principal || ' was never heard' AS fault
    FROM command_journal j
    WHERE j.principal LIKE 'callback:%' AND NOT EXISTS (
        SELECT FROM callback_inbox c WHERE c.command_id = j.command_id AND c.studio_id = j.studio_id);
COMMENT ON VIEW invariant.always_callback_command_was_heard IS 'I16: a command in a callback''s name has the verified callback that it came from.';

-- ---------------------------------------------------------------- the walls themselves

CREATE VIEW invariant.always_guards_stand AS
    SELECT NULL::uuid AS studio_id, wanted.relation AS subject, 'trigger ' || wanted.trigger || ' is off or gone' AS fault
    FROM (VALUES
        ('state_event', 'append_only'), ('ledger_transfer', 'append_only'), ('audit', 'append_only'),
        ('price', 'append_only'), ('subscription', 'machine'), ('invoice', 'machine'),
        ('payment_attempt', 'machine'), ('refund', 'machine')
    ) AS wanted (relation, trigger)
    WHERE NOT EXISTS (
        SELECT FROM pg_trigger t
        WHERE t.tgrelid = to_regclass('public.' || wanted.relation) AND t.tgname = wanted.trigger
            AND t.tgenabled IN ('O', 'A'));
COMMENT ON VIEW invariant.always_guards_stand IS 'I12, I14: the triggers that check machines and keep rows append-only are there and on.';

CREATE VIEW invariant.always_history_cannot_be_written AS
    SELECT NULL::uuid AS studio_id, r.rolname || ' on ' || history.relation AS subject, 'has ' || verb AS fault
    FROM invariant.process_role r
    CROSS JOIN (VALUES ('state_event'), ('ledger_transfer'), ('audit'), ('price')) AS history (relation)
    CROSS JOIN (VALUES ('UPDATE'), ('DELETE'), ('TRUNCATE')) AS forbidden (verb)
    WHERE has_table_privilege(r.oid, 'public.' || history.relation, verb)
        OR verb = 'UPDATE' AND has_any_column_privilege(r.oid, 'public.' || history.relation, verb)
    UNION ALL
    SELECT NULL, rolname::text, 'passes row-level security or is a superuser'
    FROM pg_roles WHERE oid IN (SELECT oid FROM invariant.process_role) AND (rolbypassrls OR rolsuper);
COMMENT ON VIEW invariant.always_history_cannot_be_written IS 'I14: no role that a process runs as may change or delete events, transfers, the audit trail or prices.';

CREATE VIEW invariant.always_foreign_keys_carry_the_studio AS
    SELECT NULL::uuid AS studio_id, k.conrelid::regclass || ' ' || k.conname AS subject,
        'points to ' || k.confrelid::regclass || ' without the studio' AS fault
    FROM pg_constraint k
    JOIN pg_attribute own ON own.attrelid = k.conrelid AND own.attname = 'studio_id' AND NOT own.attisdropped
    JOIN pg_attribute other ON other.attrelid = k.confrelid AND other.attname = 'studio_id'
        AND NOT other.attisdropped
    WHERE k.contype = 'f' AND NOT EXISTS (
        SELECT FROM unnest(k.conkey, k.confkey) AS pair (own_column, other_column)
        WHERE (pair.own_column, pair.other_column) = (own.attnum, other.attnum));
COMMENT ON VIEW invariant.always_foreign_keys_carry_the_studio IS 'I15: every foreign key between tables of a studio carries the studio, so no row points into another.';

CREATE VIEW invariant.always_tenant_tables_are_fenced AS
    SELECT NULL::uuid AS studio_id, c.relname::text AS subject,
        CASE WHEN c.relrowsecurity THEN 'shows rows of another studio to billbus_api or billbus_admin'
            ELSE 'has no row-level security' END AS fault
    FROM pg_class c
    WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace
        AND (c.relname = 'studio' OR EXISTS (
            SELECT FROM pg_attribute a
            WHERE a.attrelid = c.oid AND a.attname = 'studio_id' AND NOT a.attisdropped))
        AND (NOT c.relrowsecurity OR EXISTS (
            SELECT FROM pg_policy p
            WHERE p.polrelid = c.oid AND p.polpermissive
                AND p.polroles && ARRAY(
                    SELECT oid FROM pg_roles WHERE rolname IN ('billbus_api', 'billbus_admin') UNION ALL SELECT 0)
                AND coalesce(pg_get_expr(p.polqual, p.polrelid), '') NOT LIKE '%app.studio_id%'));
COMMENT ON VIEW invariant.always_tenant_tables_are_fenced IS 'I15: every table of a studio has row-level security, and the APIs see the rows of one studio alone.';

-- ---------------------------------------------------------------- at rest

CREATE VIEW invariant.settled_outbox_is_empty AS
    SELECT studio_id, id::text AS subject, channel || ' ' || kind || ' has not left' AS fault
    FROM outbox WHERE published_at IS NULL;
COMMENT ON VIEW invariant.settled_outbox_is_empty IS 'I13: at rest everything in the outbox has left.';

CREATE VIEW invariant.settled_events_are_consumed AS
    SELECT studio_id, event_id::text AS subject, kind || ' waits for ' || consumer AS fault
    FROM inbox WHERE state = 'waiting';
COMMENT ON VIEW invariant.settled_events_are_consumed IS 'I13: at rest no event waits for its consumer.';

CREATE VIEW invariant.settled_no_call_is_out AS
    SELECT studio_id, id::text AS subject, kind || ' has had no answer since ' || started_at AS fault
    FROM provider_call WHERE finished_at IS NULL;
COMMENT ON VIEW invariant.settled_no_call_is_out IS 'I22: at rest no call to a provider is without an outcome.';

CREATE VIEW invariant.settled_nothing_is_unknown AS
    SELECT studio_id, id::text AS subject, machine || ' is ' || state AS fault
    FROM invariant.aggregate
    WHERE machine = 'payment' AND state IN ('intent', 'sent', 'unknown')
        OR machine = 'refund' AND state IN ('approved', 'sent', 'unknown')
        OR machine = 'invoice' AND state = 'draft';
COMMENT ON VIEW invariant.settled_nothing_is_unknown IS 'I22: at rest no attempt or refund is on its way or unknown, and no invoice is half drawn.';

-- ---------------------------------------------------------------- who reads

GRANT USAGE ON SCHEMA invariant TO billbus_verify;
GRANT SELECT ON ALL TABLES IN SCHEMA invariant TO billbus_verify;

-- 0003_admin.sql

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

-- 0004_renewals.sql

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

-- 0005_bookings.sql

-- Bookings: halls and what they cost, who is in them when, and the money that a provider has asked leave to take.

-- The exclusion constraint compares a hall's id by the same index as its time.
CREATE EXTENSION IF NOT EXISTS btree_gist;

-- ---------------------------------------------------------------- how a studio sells time

ALTER TABLE studio
    ADD COLUMN hold_seconds integer NOT NULL DEFAULT 900 CHECK (hold_seconds BETWEEN 120 AND 86400),
    ADD COLUMN staff_hold_seconds integer NOT NULL DEFAULT 86400 CHECK (staff_hold_seconds BETWEEN 120 AND 2592000),
    ADD COLUMN quote_seconds integer NOT NULL DEFAULT 600 CHECK (quote_seconds BETWEEN 60 AND 86400),
    ADD COLUMN holds_limit integer NOT NULL DEFAULT 3 CHECK (holds_limit BETWEEN 1 AND 100),
    ADD COLUMN on_site_limit integer NOT NULL DEFAULT 5 CHECK (on_site_limit BETWEEN 1 AND 100),
    ADD COLUMN pays_on_site boolean NOT NULL DEFAULT false,
    -- What becomes of money for a slot that was lost meanwhile and is not free any more.
    ADD COLUMN late_money text NOT NULL DEFAULT 'refund' CHECK (late_money IN ('refund', 'staff')),
    ADD COLUMN reschedule_hours_before integer NOT NULL DEFAULT 24 CHECK (reschedule_hours_before BETWEEN 0 AND 8760),
    ADD COLUMN cancellation_terms jsonb NOT NULL
        DEFAULT '[{"hours_before": 48, "refund_percent": 100}, {"hours_before": 24, "refund_percent": 50}]'
        CHECK (jsonb_typeof(cancellation_terms) = 'array');

-- A room whose time is sold. `hours` says when it is open, by weekday and season.
CREATE TABLE hall (
    id uuid PRIMARY KEY,
    studio_id uuid NOT NULL REFERENCES studio (id),
    name text NOT NULL,
    description text NOT NULL DEFAULT '',
    capacity integer NOT NULL CHECK (capacity BETWEEN 1 AND 10000),
    equipment text[] NOT NULL DEFAULT '{}',
    hours jsonb NOT NULL CHECK (jsonb_typeof(hours) = 'array'),
    step_minutes integer NOT NULL DEFAULT 15 CHECK (step_minutes IN (5, 10, 15, 20, 30, 60)),
    minutes_min integer NOT NULL DEFAULT 60 CHECK (minutes_min > 0),
    minutes_max integer NOT NULL DEFAULT 720 CHECK (minutes_max BETWEEN minutes_min AND 1440),
    buffer_before_minutes integer NOT NULL DEFAULT 0 CHECK (buffer_before_minutes BETWEEN 0 AND 240),
    buffer_after_minutes integer NOT NULL DEFAULT 0 CHECK (buffer_after_minutes BETWEEN 0 AND 240),
    notice_minutes integer NOT NULL DEFAULT 60 CHECK (notice_minutes BETWEEN 0 AND 43200),
    horizon_days integer NOT NULL DEFAULT 90 CHECK (horizon_days BETWEEN 1 AND 730),
    position integer NOT NULL DEFAULT 0,
    is_active boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    metadata jsonb NOT NULL DEFAULT '{}',
    UNIQUE (studio_id, id),
    UNIQUE (studio_id, name),
    CHECK (minutes_min % step_minutes = 0),
    CHECK (minutes_max % step_minutes = 0)
);

-- One version of what a hall's time costs. Append-only: a change is a new version.
CREATE TABLE tariff (
    id uuid PRIMARY KEY,
    studio_id uuid NOT NULL,
    hall_id uuid NOT NULL,
    version integer NOT NULL CHECK (version > 0),
    currency char(3) NOT NULL,
    per_hour_minor bigint NOT NULL CHECK (per_hour_minor > 0),
    -- The first that fits the minute: weekdays, time of day, season.
    rates jsonb NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(rates) = 'array'),
    duration_tiers jsonb NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(duration_tiers) = 'array'),
    people_included integer NOT NULL DEFAULT 10000 CHECK (people_included > 0),
    per_person_hour_minor bigint NOT NULL DEFAULT 0 CHECK (per_person_hour_minor >= 0),
    -- Each line of a quote is rounded half up to a multiple of this.
    rounding_minor integer NOT NULL DEFAULT 100 CHECK (rounding_minor BETWEEN 1 AND 100000),
    effective_from timestamptz NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (studio_id, id),
    UNIQUE (hall_id, version),
    FOREIGN KEY (studio_id, hall_id) REFERENCES hall (studio_id, id),
    FOREIGN KEY (studio_id, currency) REFERENCES studio (id, currency)
);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON tariff
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- What is lent beside a hall: of one hall, or of the whole studio (no hall). No stock: as many as are wanted.
CREATE TABLE extra (
    id uuid PRIMARY KEY,
    studio_id uuid NOT NULL REFERENCES studio (id),
    hall_id uuid,
    name text NOT NULL,
    unit text NOT NULL CHECK (unit IN ('hour', 'booking')),
    amount_minor bigint NOT NULL CHECK (amount_minor > 0),
    stock integer CHECK (stock BETWEEN 0 AND 10000),
    is_active boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (studio_id, id),
    UNIQUE (studio_id, name),
    FOREIGN KEY (studio_id, hall_id) REFERENCES hall (studio_id, id)
);

-- ---------------------------------------------------------------- bookings

-- `lines` and `terms` are those of the quote that it was made with: what was promised then holds.
CREATE TABLE booking (
    id uuid PRIMARY KEY,
    studio_id uuid NOT NULL,
    customer_id uuid NOT NULL,
    hall_id uuid NOT NULL,
    state text NOT NULL,
    version integer NOT NULL,
    head_hash bytea NOT NULL,
    starts_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    people integer NOT NULL CHECK (people > 0),
    currency char(3) NOT NULL,
    total_minor bigint NOT NULL CHECK (total_minor > 0),
    lines jsonb NOT NULL CHECK (jsonb_typeof(lines) = 'array'),
    terms jsonb NOT NULL CHECK (jsonb_typeof(terms) = 'array'),
    -- The most that a cancellation gives back: a booking that was moved late does not become free to cancel.
    refund_percent_max smallint NOT NULL DEFAULT 100 CHECK (refund_percent_max BETWEEN 0 AND 100),
    payment text CHECK (payment IN ('online', 'on_site')),
    origin text NOT NULL CHECK (origin IN ('customer', 'staff')),
    hold_expires_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    metadata jsonb NOT NULL DEFAULT '{}',
    UNIQUE (studio_id, id),
    FOREIGN KEY (studio_id, customer_id) REFERENCES customer (studio_id, id),
    FOREIGN KEY (studio_id, hall_id) REFERENCES hall (studio_id, id),
    FOREIGN KEY (studio_id, currency) REFERENCES studio (id, currency),
    CHECK (ends_at > starts_at),
    CHECK ((payment IS NULL) = (state = 'held') OR state IN ('canceled', 'expired'))
);
CREATE INDEX booking_customer ON booking (customer_id, id);
CREATE INDEX booking_studio ON booking (studio_id, starts_at, id);
CREATE INDEX booking_hall ON booking (hall_id, starts_at);
CREATE INDEX booking_state ON booking (studio_id, state, id);
CREATE INDEX booking_hold ON booking (hold_expires_at, id) WHERE state IN ('held', 'awaiting_payment');
CREATE INDEX booking_end ON booking (ends_at, id) WHERE state = 'confirmed';

INSERT INTO machine_transition (machine, from_state, to_state) VALUES
    ('booking', '', 'held'),
    ('booking', 'held', 'awaiting_payment'),
    ('booking', 'held', 'confirmed'),
    ('booking', 'awaiting_payment', 'confirmed'),
    ('booking', 'held', 'expired'),
    ('booking', 'awaiting_payment', 'expired'),
    ('booking', 'expired', 'confirmed'),
    ('booking', 'confirmed', 'confirmed'),
    ('booking', 'confirmed', 'completed'),
    ('booking', 'confirmed', 'no_show'),
    ('booking', 'held', 'canceled'),
    ('booking', 'awaiting_payment', 'canceled'),
    ('booking', 'confirmed', 'canceled');
CREATE TRIGGER machine BEFORE INSERT OR UPDATE OF state, version ON booking
    FOR EACH ROW EXECUTE FUNCTION check_machine_transition('booking');

-- Who has a hall when. A booking's time is widened by the hall's buffers. A row is never changed but in its kind,
-- and never deleted: `created_at` and `released_at`, by the database's clock, say when it stood.
CREATE TABLE occupancy (
    id uuid PRIMARY KEY,
    studio_id uuid NOT NULL,
    hall_id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('hold', 'booking', 'blackout', 'external')),
    booking_id uuid,
    starts_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    during tstzrange NOT NULL GENERATED ALWAYS AS (tstzrange(starts_at, ends_at, '[)')) STORED,
    note text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL,
    released_at timestamptz,
    UNIQUE (studio_id, id),
    FOREIGN KEY (studio_id, hall_id) REFERENCES hall (studio_id, id),
    FOREIGN KEY (studio_id, booking_id) REFERENCES booking (studio_id, id),
    CHECK (ends_at > starts_at),
    CHECK (released_at >= created_at),
    CHECK ((kind IN ('hold', 'booking')) = (booking_id IS NOT NULL)),
    CONSTRAINT occupancy_never_twice EXCLUDE USING gist (hall_id WITH =, during WITH &&) WHERE (released_at IS NULL)
);
CREATE UNIQUE INDEX occupancy_booking ON occupancy (booking_id) WHERE released_at IS NULL;
CREATE INDEX occupancy_of_booking ON occupancy (booking_id) WHERE booking_id IS NOT NULL;
-- When halls are taken is read by who may see one studio alone. Row-level security keeps the range operator out of
-- an index, for it may tell of rows; comparing instants tells nothing. All that is asked for is in here.
CREATE INDEX occupancy_hall ON occupancy (hall_id, ends_at, starts_at) INCLUDE (studio_id) WHERE released_at IS NULL;
CREATE INDEX occupancy_blackout ON occupancy (studio_id, starts_at) WHERE kind = 'blackout' AND released_at IS NULL;

-- Extras that a booking has for its time.
CREATE TABLE extra_use (
    id uuid PRIMARY KEY,
    studio_id uuid NOT NULL,
    extra_id uuid NOT NULL,
    booking_id uuid NOT NULL,
    quantity integer NOT NULL CHECK (quantity > 0),
    starts_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL,
    released_at timestamptz,
    FOREIGN KEY (studio_id, extra_id) REFERENCES extra (studio_id, id),
    FOREIGN KEY (studio_id, booking_id) REFERENCES booking (studio_id, id),
    CHECK (ends_at > starts_at),
    CHECK (released_at >= created_at)
);
CREATE UNIQUE INDEX extra_use_booking ON extra_use (booking_id, extra_id) WHERE released_at IS NULL;
CREATE INDEX extra_use_of_booking ON extra_use (booking_id);
CREATE INDEX extra_use_extra ON extra_use (extra_id, ends_at) WHERE released_at IS NULL;

-- ---------------------------------------------------------------- invoices of bookings

ALTER TABLE invoice
    ADD COLUMN booking_id uuid,
    ADD FOREIGN KEY (studio_id, booking_id) REFERENCES booking (studio_id, id),
    ADD CHECK (booking_id IS NULL OR subscription_id IS NULL);
CREATE INDEX invoice_booking ON invoice (booking_id) WHERE booking_id IS NOT NULL;

-- A refund that follows from what was promised: nobody asks for it, and nobody has to approve it.
ALTER TABLE refund DROP CONSTRAINT refund_origin_check;
ALTER TABLE refund ADD CONSTRAINT refund_origin_check CHECK (origin IN ('customer', 'staff', 'provider', 'terms'));
CREATE INDEX refund_promised ON refund (provider_payment_id) WHERE state = 'declined' AND origin = 'terms';

-- Money that was promised, that the provider did not give back, and that is still here: of each payment what its
-- declined refunds by terms come to, less what goes back since by somebody's decision, as far as it is there. A
-- cancellation promises anew whatever was promised before it.
CREATE VIEW refund_owed WITH (security_invoker = true) AS
    SELECT p.studio_id, p.id AS payment_id, promised.declined_at, p.currency,
        least(promised.amount_minor - again.amount_minor, p.amount_minor - p.refunded_minor - p.reserved_minor)::bigint
            AS amount_minor
    FROM (
        SELECT r.provider_payment_id, sum(r.amount_minor) AS amount_minor, min(r.updated_at) AS declined_at
        FROM refund r LEFT JOIN invoice i ON i.id = r.invoice_id LEFT JOIN booking b ON b.id = i.booking_id
        WHERE r.state = 'declined' AND r.origin = 'terms'
            AND (b.state = 'canceled' AND r.created_at < b.updated_at) IS NOT TRUE
        GROUP BY r.provider_payment_id
    ) promised
    JOIN provider_payment p ON p.id = promised.provider_payment_id
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(r.amount_minor), 0) AS amount_minor FROM refund r
        WHERE r.provider_payment_id = p.id AND r.origin <> 'terms' AND r.created_at >= promised.declined_at
            AND r.state IN ('requested', 'approved', 'sent', 'unknown', 'succeeded')
    ) again
    WHERE promised.amount_minor > again.amount_minor AND p.refunded_minor + p.reserved_minor < p.amount_minor;

-- ---------------------------------------------------------------- leave to take money

-- A provider asked "may I take this money?" and was told yes. Until it says what became of it, or its time is over
-- (by the studio's clock), nobody else may, and the invoice stays as it is. Closed it is by what the provider says and
-- by nothing else: while it is not, nobody knows whether money was taken. `lapsed_at` is when another took its place.
CREATE TABLE check_admission (
    id uuid PRIMARY KEY,
    studio_id uuid NOT NULL,
    provider_account_id uuid NOT NULL,
    invoice_id uuid NOT NULL,
    attempt_id uuid NOT NULL,
    transaction_id text NOT NULL,
    admitted_at timestamptz NOT NULL,
    closed_at timestamptz,
    lapsed_at timestamptz,
    UNIQUE (provider_account_id, transaction_id),
    FOREIGN KEY (studio_id, provider_account_id) REFERENCES provider_account (studio_id, id),
    FOREIGN KEY (studio_id, invoice_id) REFERENCES invoice (studio_id, id),
    FOREIGN KEY (studio_id, attempt_id) REFERENCES payment_attempt (studio_id, id),
    CHECK (closed_at >= admitted_at),
    CHECK (lapsed_at >= admitted_at)
);
CREATE UNIQUE INDEX check_admission_open ON check_admission (invoice_id)
    WHERE closed_at IS NULL AND lapsed_at IS NULL;
CREATE INDEX check_admission_unanswered ON check_admission (invoice_id) WHERE closed_at IS NULL;

-- ---------------------------------------------------------------- row-level security

DO $$
DECLARE
    tenant_table text;
BEGIN
    FOREACH tenant_table IN ARRAY ARRAY[
        'hall', 'tariff', 'extra', 'booking', 'occupancy', 'extra_use', 'check_admission'
    ] LOOP
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

GRANT SELECT ON hall, tariff, extra, booking, occupancy, extra_use TO billbus_api, billbus_admin, billbus_updater,
    billbus_worker, billbus_events, billbus_cron, billbus_verify;
GRANT SELECT ON check_admission TO billbus_api, billbus_admin, billbus_updater, billbus_relay, billbus_worker,
    billbus_verify;

GRANT INSERT ON check_admission TO billbus_api;
GRANT UPDATE (lapsed_at) ON check_admission TO billbus_api;
GRANT UPDATE (closed_at) ON check_admission TO billbus_updater;

GRANT INSERT ON hall, tariff, extra TO billbus_admin;
GRANT UPDATE (name, description, capacity, equipment, hours, step_minutes, minutes_min, minutes_max,
    buffer_before_minutes, buffer_after_minutes, notice_minutes, horizon_days, position, is_active)
    ON hall TO billbus_admin;
GRANT UPDATE (name, amount_minor, stock, is_active) ON extra TO billbus_admin;
GRANT UPDATE (hold_seconds, staff_hold_seconds, quote_seconds, holds_limit, on_site_limit, pays_on_site, late_money,
    reschedule_hours_before, cancellation_terms) ON studio TO billbus_admin;

GRANT INSERT, UPDATE ON booking TO billbus_updater;
GRANT INSERT, UPDATE (kind, released_at) ON occupancy TO billbus_updater;
GRANT INSERT, UPDATE (released_at) ON extra_use TO billbus_updater;

-- What is not true any more is withdrawn by who hears of it.
GRANT UPDATE (state, finished_at, problem) ON notification TO billbus_events;

-- The relay shows how many holds are overdue, and what was promised and did not go back.
GRANT SELECT ON booking, invoice TO billbus_relay;
GRANT SELECT ON refund_owed TO billbus_admin, billbus_relay, billbus_verify;

-- ---------------------------------------------------------------- invariants: what they share

CREATE OR REPLACE VIEW invariant.aggregate AS
    SELECT 'subscription' AS machine, id, studio_id, state, version, head_hash FROM subscription
    UNION ALL SELECT 'invoice', id, studio_id, state, version, head_hash FROM invoice
    UNION ALL SELECT 'payment', id, studio_id, state, version, head_hash FROM payment_attempt
    UNION ALL SELECT 'refund', id, studio_id, state, version, head_hash FROM refund
    UNION ALL SELECT 'booking', id, studio_id, state, version, head_hash FROM booking;

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
        ('refund', 'decline', 'refund.declined', 'refund_id'),
        ('booking', 'hold', 'booking.created', 'booking_id'),
        ('booking', 'confirm', 'booking.confirmed', 'booking_id'),
        ('booking', 'reinstate', 'booking.confirmed', 'booking_id'),
        ('booking', 'expire', 'booking.expired', 'booking_id'),
        ('booking', 'reschedule', 'booking.rescheduled', 'booking_id'),
        ('booking', 'complete', 'booking.completed', 'booking_id'),
        ('booking', 'mark_no_show', 'booking.no_show', 'booking_id'),
        ('booking', 'cancel', 'booking.cancelled', 'booking_id')
    ) AS told (machine, trigger, kind, id_field);

CREATE OR REPLACE VIEW invariant.always_applied_command_has_effects AS
    SELECT j.studio_id, j.command_id::text AS subject, j.kind || ' was applied and left no trace' AS fault
    FROM command_journal j
    WHERE j.state = 'applied'
        AND NOT coalesce(j.result ?| ARRAY['unchanged', 'page_still_open'], false)
        AND NOT EXISTS (SELECT FROM state_event e WHERE e.command_id = j.command_id)
        AND NOT EXISTS (SELECT FROM ledger_transfer t WHERE t.causation_id = j.command_id)
        AND NOT EXISTS (
            SELECT FROM outbox o
            WHERE o.causation_id = j.command_id AND o.kind IN ('look_up_payment', 'look_up_refund'))
        AND NOT EXISTS (SELECT FROM occupancy o WHERE o.id::text = j.result ->> 'blackout_id'
            AND o.studio_id = j.studio_id);

CREATE OR REPLACE VIEW invariant.always_result_names_what_exists AS
    SELECT j.studio_id, j.command_id::text AS subject, named.field || ' ' || named.id || ' does not exist' AS fault
    FROM command_journal j
    CROSS JOIN LATERAL (VALUES
        ('subscription_id', j.result ->> 'subscription_id'), ('invoice_id', j.result ->> 'invoice_id'),
        ('attempt_id', j.result ->> 'attempt_id'), ('refund_id', j.result ->> 'refund_id'),
        ('payment_id', j.result ->> 'payment_id'), ('booking_id', j.result ->> 'booking_id')
    ) AS named (field, id)
    WHERE j.state = 'applied' AND named.id IS NOT NULL
        AND NOT EXISTS (
            SELECT FROM invariant.aggregate a WHERE a.id = named.id::uuid AND a.studio_id = j.studio_id)
        AND NOT EXISTS (
            SELECT FROM provider_payment p WHERE p.id = named.id::uuid AND p.studio_id = j.studio_id);

-- Money that came after a hold was lost pays the invoice that the booking was given again with.
CREATE OR REPLACE VIEW invariant.always_matched_payment_fits AS
    SELECT p.studio_id, p.id::text AS subject,
        'is matched to invoice ' || p.invoice_id || ' by attempt ' || coalesce(p.attempt_id::text, 'none') AS fault
    FROM provider_payment p
    LEFT JOIN payment_attempt a ON a.id = p.attempt_id
    LEFT JOIN invoice i ON i.id = p.invoice_id
    LEFT JOIN invoice lost ON lost.id = a.invoice_id AND lost.booking_id = i.booking_id AND lost.state = 'expired'
    WHERE p.invoice_id IS NOT NULL AND (
        p.invoice_id, p.provider_account_id, p.currency, p.studio_id, p.studio_id, a.customer_id)
        IS DISTINCT FROM (
        CASE WHEN lost.id IS NULL THEN a.invoice_id ELSE p.invoice_id END, a.provider_account_id, i.currency,
        a.studio_id, i.studio_id, i.customer_id);

CREATE OR REPLACE VIEW invariant.always_terminal_states_stay AS
    WITH terminal (machine, state) AS (VALUES
        ('subscription', 'canceled'), ('invoice', 'void'), ('invoice', 'expired'), ('invoice', 'refunded'),
        ('payment', 'succeeded'), ('refund', 'succeeded'), ('refund', 'rejected'), ('refund', 'withdrawn'),
        ('booking', 'completed'), ('booking', 'no_show'), ('booking', 'canceled'))
    SELECT e.studio_id, e.aggregate_id || ' v' || e.version AS subject,
        'left "' || e.from_state || '" for "' || e.to_state || '"' AS fault
    FROM state_event e JOIN terminal t ON (t.machine, t.state) = (e.machine, e.from_state)
    UNION ALL
    SELECT NULL, d.machine, 'declares a step from "' || d.from_state || '" to "' || d.to_state || '"'
    FROM machine_transition d JOIN terminal t ON (t.machine, t.state) = (d.machine, d.from_state);

CREATE OR REPLACE VIEW invariant.always_unknown_needs_evidence AS
    SELECT e.studio_id, e.aggregate_id || ' v' || e.version AS subject,
        e.from_state || ' to ' || e.to_state || ' by ' || coalesce(j.principal, 'nobody') AS fault
    FROM state_event e LEFT JOIN command_journal j ON j.command_id = e.command_id
    WHERE e.machine IN ('payment', 'refund') AND e.from_state IN ('sent', 'pending', 'unknown')
        AND coalesce(j.principal, '') NOT LIKE 'callback:%' AND coalesce(j.principal, '') NOT LIKE 'task:%'
        AND NOT (e.machine = 'refund' AND e.from_state = 'unknown'
            AND coalesce(j.kind, '') = 'DeclineRefund' AND coalesce(j.principal, '') LIKE 'staff:%');
COMMENT ON VIEW invariant.always_unknown_needs_evidence IS 'I8: what is out at a provider moves on only by what the provider said, by a callback or the answer to a call, or what staff has seen there.';

CREATE OR REPLACE VIEW invariant.always_guards_stand AS
    SELECT NULL::uuid AS studio_id, wanted.relation AS subject, 'trigger ' || wanted.trigger || ' is off or gone' AS fault
    FROM (VALUES
        ('state_event', 'append_only'), ('ledger_transfer', 'append_only'), ('audit', 'append_only'),
        ('price', 'append_only'), ('tariff', 'append_only'), ('subscription', 'machine'), ('invoice', 'machine'),
        ('payment_attempt', 'machine'), ('refund', 'machine'), ('booking', 'machine')
    ) AS wanted (relation, trigger)
    WHERE NOT EXISTS (
        SELECT FROM pg_trigger t
        WHERE t.tgrelid = to_regclass('public.' || wanted.relation) AND t.tgname = wanted.trigger
            AND t.tgenabled IN ('O', 'A'))
    UNION ALL
    SELECT NULL, 'occupancy', 'nothing keeps a hall from being taken twice'
    WHERE NOT EXISTS (
        SELECT FROM pg_constraint k JOIN pg_index x ON x.indexrelid = k.conindid AND x.indisvalid
        WHERE k.conrelid = to_regclass('public.occupancy') AND k.contype = 'x'
            AND k.conname = 'occupancy_never_twice');
COMMENT ON VIEW invariant.always_guards_stand IS 'I9, I12, I14: the triggers that check machines and keep rows append-only are there and on, and so is the constraint that keeps a hall from being taken twice.';

CREATE OR REPLACE VIEW invariant.always_history_cannot_be_written AS
    SELECT NULL::uuid AS studio_id, r.rolname || ' on ' || history.relation AS subject, 'has ' || verb AS fault
    FROM invariant.process_role r
    CROSS JOIN (VALUES ('state_event'), ('ledger_transfer'), ('audit'), ('price'), ('tariff')) AS history (relation)
    CROSS JOIN (VALUES ('UPDATE'), ('DELETE'), ('TRUNCATE')) AS forbidden (verb)
    WHERE has_table_privilege(r.oid, 'public.' || history.relation, verb)
        OR verb = 'UPDATE' AND has_any_column_privilege(r.oid, 'public.' || history.relation, verb)
    UNION ALL
    SELECT NULL, rolname::text, 'passes row-level security or is a superuser'
    FROM pg_roles WHERE oid IN (SELECT oid FROM invariant.process_role) AND (rolbypassrls OR rolsuper);
COMMENT ON VIEW invariant.always_history_cannot_be_written IS 'I14: no role that a process runs as may change or delete events, transfers, the audit trail, prices or tariffs.';

-- ---------------------------------------------------------------- invariants of bookings

-- Of who had a hall when there are two accounts: the rows of `occupancy`, and what the events of bookings tell.
-- In the second, who holds a time has it until the next event that takes or gives back, by the journal's clock.
CREATE VIEW invariant.hall_time AS
    SELECT 'row' AS account, studio_id, hall_id, id, during, created_at AS taken_at, released_at FROM occupancy
    UNION ALL
    SELECT 'event', studio_id, (held ->> 'hall_id')::uuid, aggregate_id,
        tstzrange((held ->> 'starts_at')::timestamptz, (held ->> 'ends_at')::timestamptz), happened_at, ended_at
    FROM (
        SELECT e.studio_id, e.aggregate_id, e.trigger, j.answered_at AS happened_at,
            CASE WHEN e.facts ? 'hall_id' THEN e.facts ELSE first_value(e.facts) OVER steps END AS held,
            lead(j.answered_at) OVER steps AS ended_at
        FROM state_event e JOIN command_journal j ON j.command_id = e.command_id
        WHERE e.machine = 'booking' AND e.trigger IN (
            'hold', 'reschedule', 'reinstate', 'cancel', 'expire', 'mark_no_show')
        WINDOW steps AS (PARTITION BY e.aggregate_id ORDER BY e.version)
    ) AS step
    WHERE trigger IN ('hold', 'reschedule', 'reinstate');
COMMENT ON VIEW invariant.hall_time IS 'Who had which time of a hall, and from when until when it was theirs.';

-- Only what lies in one quarter of a day is compared, or a year of bookings is compared with itself.
CREATE VIEW invariant.hall_taken_twice AS
    WITH slice AS NOT MATERIALIZED (
        SELECT *, generate_series(floor(extract(epoch FROM lower(during)) / 21600)::bigint,
            floor(extract(epoch FROM upper(during)) / 21600)::bigint) AS quarter
        FROM invariant.hall_time WHERE taken_at < coalesce(released_at, 'infinity')
    )
    SELECT a.account, a.studio_id, a.hall_id::text AS subject,
        a.id || ' and ' || b.id || ' stood together from ' || greatest(a.taken_at, b.taken_at) || ', both for '
            || a.during * b.during AS fault
    FROM slice a JOIN slice b ON b.account = a.account AND b.hall_id = a.hall_id AND b.quarter = a.quarter
        AND b.id > a.id AND b.during && a.during
        AND greatest(a.taken_at, b.taken_at) < least(
            coalesce(a.released_at, 'infinity'), coalesce(b.released_at, 'infinity'))
    WHERE a.quarter = floor(extract(epoch FROM greatest(lower(a.during), lower(b.during))) / 21600)::bigint;
COMMENT ON VIEW invariant.hall_taken_twice IS 'Times of one hall that overlapped and stood together, by either account.';

CREATE VIEW invariant.always_no_hall_is_taken_twice AS
    SELECT studio_id, subject, fault FROM invariant.hall_taken_twice WHERE account = 'row';
COMMENT ON VIEW invariant.always_no_hall_is_taken_twice IS 'I9: at no time did two live occupancies of a hall overlap, now or at any moment before.';

CREATE VIEW invariant.always_no_hall_was_given_twice AS
    SELECT studio_id, subject, fault FROM invariant.hall_taken_twice WHERE account = 'event';
COMMENT ON VIEW invariant.always_no_hall_was_given_twice IS 'I9: replayed from the events alone, no two bookings ever had one hall at one time.';

CREATE VIEW invariant.always_booking_is_where_its_events_put_it AS
    SELECT b.studio_id, b.id::text AS subject,
        'is in ' || b.hall_id || ' from ' || b.starts_at || ' to ' || b.ends_at || ', its events say '
            || coalesce(e.facts::text, 'nothing') AS fault
    FROM booking b
    LEFT JOIN (
        SELECT DISTINCT ON (aggregate_id) aggregate_id, facts FROM state_event
        WHERE machine = 'booking' AND trigger IN ('hold', 'reschedule') ORDER BY aggregate_id, version DESC
    ) e ON e.aggregate_id = b.id
    WHERE (b.hall_id, b.starts_at, b.ends_at) IS DISTINCT FROM ((e.facts ->> 'hall_id')::uuid,
        (e.facts ->> 'starts_at')::timestamptz, (e.facts ->> 'ends_at')::timestamptz);
COMMENT ON VIEW invariant.always_booking_is_where_its_events_put_it IS 'I9: hall and time of a booking are those that it was held for, or last moved to.';

-- A hall's buffers are at most four hours.
CREATE VIEW invariant.always_booking_has_its_hall AS
    SELECT b.studio_id, b.id::text AS subject,
        'is ' || b.state || ' with ' || count(o.id) || ' live occupancies, ' || count(o.id) FILTER (WHERE o.fits)
            || ' of them its own' AS fault
    FROM booking b
    LEFT JOIN LATERAL (
        SELECT o.id, (o.kind = 'hold') = (b.state IN ('held', 'awaiting_payment')) AND o.hall_id = b.hall_id
            AND o.starts_at BETWEEN b.starts_at - interval '4 hours' AND b.starts_at
            AND o.ends_at BETWEEN b.ends_at AND b.ends_at + interval '4 hours' AS fits
        FROM occupancy o WHERE o.booking_id = b.id AND o.released_at IS NULL
    ) o ON true
    GROUP BY b.id
    HAVING (count(o.id), count(o.id) FILTER (WHERE o.fits)) IS DISTINCT FROM
        CASE WHEN b.state IN ('canceled', 'expired', 'no_show') THEN (0::bigint, 0::bigint)
            ELSE (1::bigint, 1::bigint) END;
COMMENT ON VIEW invariant.always_booking_has_its_hall IS 'I9: a booking has its hall for its time by one live occupancy of the right kind; one that is canceled or expired, or to which nobody came, has none.';

CREATE VIEW invariant.always_extra_is_with_its_booking AS
    SELECT u.studio_id, u.id::text AS subject,
        'is out from ' || u.starts_at || ' to ' || u.ends_at || ', its booking is ' || b.state || ' from '
            || b.starts_at || ' to ' || b.ends_at AS fault
    FROM extra_use u JOIN booking b ON b.id = u.booking_id
    WHERE u.released_at IS NULL AND (
        b.state IN ('canceled', 'expired', 'no_show')
        OR (u.starts_at, u.ends_at) <> (b.starts_at, b.ends_at));
COMMENT ON VIEW invariant.always_extra_is_with_its_booking IS 'I9: an extra is out with a live booking for its time, and comes back when that is canceled or expires, or nobody comes.';

-- Stock may be made smaller than what was promised before: the audit knows what it was.
CREATE VIEW invariant.always_extras_stay_within_stock AS
    WITH stocked AS (
        SELECT e.studio_id, e.id, e.stock FROM extra e
        UNION ALL
        SELECT a.studio_id, a.subject_id, (written ->> 'stock')::integer
        FROM audit a CROSS JOIN LATERAL (VALUES (a.before), (a.after)) AS side (written)
        WHERE a.action = 'change_extra' AND written ? 'stock'
    ), limited AS (
        SELECT id, max(stock) AS stock FROM stocked GROUP BY id HAVING bool_and(stock IS NOT NULL)
    ), moment AS (
        SELECT studio_id, extra_id, starts_at AS at, quantity FROM extra_use WHERE released_at IS NULL
        UNION ALL SELECT studio_id, extra_id, ends_at, -quantity FROM extra_use WHERE released_at IS NULL
    ), counted AS (
        -- At one instant what comes back is there for who comes next.
        SELECT *, sum(quantity) OVER (PARTITION BY extra_id ORDER BY at, quantity ROWS UNBOUNDED PRECEDING) AS out
        FROM moment
    )
    SELECT c.studio_id, c.extra_id::text AS subject, max(c.out) || ' are out at once, of ' || l.stock AS fault
    FROM counted c JOIN limited l ON l.id = c.extra_id
    WHERE c.out > l.stock GROUP BY c.studio_id, c.extra_id, l.stock;
COMMENT ON VIEW invariant.always_extras_stay_within_stock IS 'I9: at no moment are more of an extra out than there ever were.';

CREATE VIEW invariant.always_booking_total_is_its_lines AS
    SELECT b.studio_id, b.id::text AS subject, 'total ' || b.total_minor || ', lines ' || b.lines AS fault
    FROM booking b
    WHERE b.total_minor IS DISTINCT FROM (
        SELECT sum((line ->> 'quantity')::bigint * (line ->> 'unit_amount_minor')::bigint)
        FROM jsonb_array_elements(b.lines) AS line);
COMMENT ON VIEW invariant.always_booking_total_is_its_lines IS 'I4: the total of a booking is the sum of its lines.';

CREATE VIEW invariant.always_invoice_fits_its_booking AS
    SELECT i.studio_id, i.id::text AS subject, 'is not its booking''s in customer or currency' AS fault
    FROM invoice i JOIN booking b ON b.id = i.booking_id
    WHERE (i.studio_id, i.customer_id, i.currency) IS DISTINCT FROM (b.studio_id, b.customer_id, b.currency);
COMMENT ON VIEW invariant.always_invoice_fits_its_booking IS 'I15: a booking''s invoices are those of its customer, in its currency.';

CREATE VIEW invariant.booking_money AS
    SELECT b.id, count(i.id) FILTER (WHERE i.state = 'open') AS open,
        count(i.id) FILTER (WHERE i.state IN ('paid', 'partially_refunded', 'refunded')) AS settled,
        count(i.id) FILTER (WHERE i.state = 'open' AND i.total_minor = b.total_minor
            AND i.expires_at = b.hold_expires_at) AS awaited,
        coalesce(sum(i.paid_minor), 0)::bigint AS paid_minor
    FROM booking b LEFT JOIN invoice i ON i.booking_id = b.id GROUP BY b.id;
COMMENT ON VIEW invariant.booking_money IS 'The invoices of each booking: open, paid, awaited for its hold, and the money matched to them.';

CREATE VIEW invariant.always_paid_booking_is_honored AS
    SELECT b.studio_id, b.id::text AS subject,
        b.state || CASE WHEN m.settled > 0 THEN ', though paid' ELSE ', though nothing was paid online' END AS fault
    FROM booking b JOIN invariant.booking_money m ON m.id = b.id
    WHERE m.settled > 0 AND b.state IN ('held', 'awaiting_payment', 'expired')
        OR m.settled = 0 AND b.payment = 'online' AND b.state IN ('confirmed', 'completed', 'no_show');
COMMENT ON VIEW invariant.always_paid_booking_is_honored IS 'I10: a booking that was paid is confirmed or was canceled, and one to be paid online is not confirmed without.';

CREATE VIEW invariant.always_awaited_payment_has_its_invoice AS
    SELECT b.studio_id, b.id::text AS subject,
        b.state || ' with ' || m.open || ' open invoices, ' || m.awaited || ' of its total until its deadline' AS fault
    FROM booking b JOIN invariant.booking_money m ON m.id = b.id
    WHERE CASE WHEN b.state = 'awaiting_payment' THEN m.open <> 1 OR m.awaited <> 1
        WHEN b.state IN ('held', 'expired', 'canceled') THEN m.open <> 0 END;
COMMENT ON VIEW invariant.always_awaited_payment_has_its_invoice IS 'I10: a booking that awaits payment has one open invoice of its total, until its deadline; a lost one has none.';

-- What is owed is what was paid less what is kept of the total as far as it is paid, rounded half up. Other refunds count whatever became of
-- them: those were decided by people. So do those that were declined: what nobody has made good is in `refund_owed`.
CREATE VIEW invariant.always_canceled_booking_gives_back AS
    SELECT e.studio_id, e.aggregate_id::text AS subject,
        'promised ' || coalesce(e.facts ->> 'refund_percent', 'nothing') || ' % of ' || paid.amount_minor
            || ', sent back ' || coalesce(sent.own_minor, 0) || ', otherwise ' || coalesce(sent.other_minor, 0) AS fault
    FROM state_event e JOIN booking b ON b.id = e.aggregate_id
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(p.amount_minor), 0) AS amount_minor
        FROM invoice i JOIN provider_payment p ON p.invoice_id = i.id WHERE i.booking_id = e.aggregate_id
    ) paid
    CROSS JOIN LATERAL (
        SELECT sum(r.amount_minor) FILTER (WHERE made.command_id = e.command_id) AS own_minor,
            sum(r.amount_minor) FILTER (WHERE made.command_id <> e.command_id) AS other_minor
        FROM invoice i JOIN refund r ON r.invoice_id = i.id
        JOIN state_event made ON made.aggregate_id = r.id AND made.version = 1
        WHERE i.booking_id = e.aggregate_id
    ) sent
    WHERE e.machine = 'booking' AND e.trigger = 'cancel' AND (
        coalesce(sent.own_minor, 0) IS DISTINCT FROM (e.facts ->> 'refund_minor')::bigint
        OR coalesce(sent.own_minor, 0) + coalesce(sent.other_minor, 0) < paid.amount_minor
            - div(least(paid.amount_minor, b.total_minor) * (100 - (e.facts ->> 'refund_percent')::integer) + 50, 100));
COMMENT ON VIEW invariant.always_canceled_booking_gives_back IS 'I10: of a booking that was canceled goes back what its terms, or who waived them, have promised.';

-- Money that came for a hold that was lost: its attempt's invoice was closed, and the booking was never paid.
CREATE VIEW invariant.always_late_money_is_answered AS
    SELECT p.studio_id, p.id::text AS subject,
        p.unapplied_reason || ' for booking ' || b.id || ': ' || CASE WHEN told.id IS NULL THEN 'nobody was told'
            ELSE coalesce(back.amount_minor, 0) || ' of ' || p.amount_minor || ' goes back' END AS fault
    FROM provider_payment p
    JOIN payment_attempt a ON a.id = p.attempt_id
    JOIN invoice i ON i.id = a.invoice_id
    JOIN booking b ON b.id = i.booking_id
    JOIN invariant.booking_money m ON m.id = b.id
    JOIN studio s ON s.id = p.studio_id
    LEFT JOIN outbox told ON told.kind = 'payment.unapplied' AND told.body ->> 'payment_id' = p.id::text
    LEFT JOIN LATERAL (
        SELECT sum(r.amount_minor) AS amount_minor FROM refund r WHERE r.provider_payment_id = p.id
    ) back ON true
    WHERE p.unapplied_reason IN ('invoice_expired', 'invoice_void')
        AND (b.state = 'expired' OR b.state = 'canceled' AND b.payment = 'online' AND m.settled = 0)
        AND (told.id IS NULL OR coalesce(back.amount_minor, 0) < p.amount_minor AND s.late_money = 'refund'
            -- It may have been the staff's when the money came.
            AND NOT EXISTS (
                SELECT FROM audit t WHERE t.studio_id = s.id AND t.action = 'change_booking_terms'
                    AND t.before ->> 'late_money' = 'staff'));
COMMENT ON VIEW invariant.always_late_money_is_answered IS 'I10: money for a hold that was lost and not given again is told of, and goes back unless the studio has it wait for its staff.';

CREATE VIEW invariant.always_hold_expired_in_time AS
    SELECT e.studio_id, b.id::text AS subject,
        'expired at ' || e.occurred_at || ', was held until ' || b.hold_expires_at AS fault
    FROM state_event e JOIN booking b ON b.id = e.aggregate_id
    WHERE e.machine = 'booking' AND e.trigger = 'expire' AND e.occurred_at < b.hold_expires_at;
COMMENT ON VIEW invariant.always_hold_expired_in_time IS 'I20: no hold expires before its deadline by the studio''s clock.';

-- ---------------------------------------------------------------- invariants of leave to take money

-- Against the unique index, should it ever be gone.
CREATE VIEW invariant.always_one_open_admission AS
    SELECT studio_id, invoice_id::text AS subject, count(*) || ' transactions may take its money' AS fault
    FROM check_admission WHERE closed_at IS NULL AND lapsed_at IS NULL
    GROUP BY studio_id, invoice_id HAVING count(*) > 1;
COMMENT ON VIEW invariant.always_one_open_admission IS 'I7: at most one transaction of an invoice has leave to take its money.';

CREATE VIEW invariant.always_admission_is_of_its_attempt AS
    SELECT c.studio_id, c.id::text AS subject, 'admits money for invoice ' || c.invoice_id || ' by attempt '
        || c.attempt_id || ', which is not of it' AS fault
    FROM check_admission c LEFT JOIN payment_attempt a ON a.id = c.attempt_id
    WHERE (c.studio_id, c.invoice_id, c.provider_account_id)
        IS DISTINCT FROM (a.studio_id, a.invoice_id, a.provider_account_id);
COMMENT ON VIEW invariant.always_admission_is_of_its_attempt IS 'I16: leave to take money is given for the invoice and the provider account of its attempt.';

-- 300 seconds is how long a yes holds. A hold waits for it, but not for ever: fifteen minutes past its deadline.
CREATE VIEW invariant.always_admitted_invoice_stays AS
    SELECT e.studio_id, e.aggregate_id || ' v' || e.version AS subject,
        e.to_state || ' at ' || e.occurred_at || ', transaction ' || c.transaction_id || ' was admitted at '
            || c.admitted_at AS fault
    FROM check_admission c
    JOIN state_event e ON e.aggregate_id = c.invoice_id
    JOIN invoice i ON i.id = c.invoice_id
    WHERE e.trigger IN ('void', 'expire') AND e.occurred_at > c.admitted_at
        AND e.occurred_at < least(c.closed_at, c.admitted_at + interval '300 seconds')
        AND NOT (e.trigger = 'expire' AND i.booking_id IS NOT NULL
            AND e.occurred_at >= i.expires_at + interval '15 minutes');
COMMENT ON VIEW invariant.always_admitted_invoice_stays IS 'I20: no invoice is closed while a provider has leave to take its money.';

-- ---------------------------------------------------------------- invariants of bookings, at rest

-- A hold waits at most fifteen minutes for money that may be moving; five more are for who looks.
CREATE VIEW invariant.settled_no_hold_is_overdue AS
    SELECT b.studio_id, b.id::text AS subject, 'is ' || b.state || ', its hold was over at ' || b.hold_expires_at AS fault
    FROM booking b LEFT JOIN clock_offset o ON o.studio_id = b.studio_id
    WHERE b.state IN ('held', 'awaiting_payment')
        AND b.hold_expires_at + interval '20 minutes'
            < clock_timestamp() + make_interval(secs => coalesce(o.offset_seconds, 0));
COMMENT ON VIEW invariant.settled_no_hold_is_overdue IS 'I20, I22: at rest nothing is held longer than its deadline and the wait for its money.';

-- 300 seconds is how long a yes holds; ten minutes more are for who looks. What is asked about is due or out.
CREATE VIEW invariant.settled_unanswered_admission_is_asked_about AS
    SELECT c.studio_id, c.id::text AS subject, 'transaction ' || c.transaction_id || ' had leave at ' || c.admitted_at
        || ' to take the money of attempt ' || c.attempt_id || ', and nobody asks what became of it' AS fault
    FROM check_admission c LEFT JOIN clock_offset o ON o.studio_id = c.studio_id
    WHERE c.closed_at IS NULL
        AND c.admitted_at + interval '15 minutes'
            < clock_timestamp() + make_interval(secs => coalesce(o.offset_seconds, 0))
        AND NOT EXISTS (
            SELECT FROM provider_call p
            WHERE p.attempt_id = c.attempt_id AND (p.finished_at IS NULL OR p.next_at IS NOT NULL));
COMMENT ON VIEW invariant.settled_unanswered_admission_is_asked_about IS 'I8, I22: at rest every leave to take money is closed by what the provider said, or is going to be asked about.';

GRANT SELECT ON ALL TABLES IN SCHEMA invariant TO billbus_verify;
