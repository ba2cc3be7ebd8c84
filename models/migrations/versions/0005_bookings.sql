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
