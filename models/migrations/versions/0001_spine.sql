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
