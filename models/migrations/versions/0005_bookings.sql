-- Bookings: halls and what they cost, who is in them when, and the money that a provider has asked leave to take.

-- The exclusion constraint compares a hall's id by the same index as its time.
CREATE EXTENSION IF NOT EXISTS btree_gist;

-- ---------------------------------------------------------------- how a studio sells time

ALTER TABLE studio
    ADD COLUMN hold_seconds integer NOT NULL DEFAULT 900 CHECK (hold_seconds BETWEEN 120 AND 86400),
    ADD COLUMN staff_hold_seconds integer NOT NULL DEFAULT 86400 CHECK (staff_hold_seconds BETWEEN 120 AND 2592000),
    ADD COLUMN quote_seconds integer NOT NULL DEFAULT 600 CHECK (quote_seconds BETWEEN 60 AND 86400),
    ADD COLUMN holds_limit integer NOT NULL DEFAULT 3 CHECK (holds_limit BETWEEN 1 AND 100),
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

-- ---------------------------------------------------------------- leave to take money

-- A provider asked "may I take this money?" and was told yes. Until it says what became of it, or its time is over
-- (by the studio's clock), nobody else may, and the invoice stays as it is.
CREATE TABLE check_admission (
    id uuid PRIMARY KEY,
    studio_id uuid NOT NULL,
    provider_account_id uuid NOT NULL,
    invoice_id uuid NOT NULL,
    attempt_id uuid NOT NULL,
    transaction_id text NOT NULL,
    admitted_at timestamptz NOT NULL,
    closed_at timestamptz,
    UNIQUE (provider_account_id, transaction_id),
    FOREIGN KEY (studio_id, provider_account_id) REFERENCES provider_account (studio_id, id),
    FOREIGN KEY (studio_id, invoice_id) REFERENCES invoice (studio_id, id),
    FOREIGN KEY (studio_id, attempt_id) REFERENCES payment_attempt (studio_id, id),
    CHECK (closed_at >= admitted_at)
);
CREATE UNIQUE INDEX check_admission_open ON check_admission (invoice_id) WHERE closed_at IS NULL;

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
GRANT SELECT ON check_admission TO billbus_api, billbus_admin, billbus_updater, billbus_worker, billbus_verify;

GRANT INSERT ON check_admission TO billbus_api;
GRANT UPDATE (closed_at) ON check_admission TO billbus_api, billbus_updater;

GRANT INSERT ON hall, tariff, extra TO billbus_admin;
GRANT UPDATE (name, description, capacity, equipment, hours, step_minutes, minutes_min, minutes_max,
    buffer_before_minutes, buffer_after_minutes, notice_minutes, horizon_days, position, is_active)
    ON hall TO billbus_admin;
GRANT UPDATE (name, amount_minor, stock, is_active) ON extra TO billbus_admin;
GRANT UPDATE (hold_seconds, staff_hold_seconds, quote_seconds, holds_limit, pays_on_site, late_money,
    reschedule_hours_before, cancellation_terms) ON studio TO billbus_admin;

GRANT INSERT, UPDATE ON booking TO billbus_updater;
GRANT INSERT, UPDATE (kind, released_at) ON occupancy TO billbus_updater;
GRANT INSERT, UPDATE (released_at) ON extra_use TO billbus_updater;

-- What is not true any more is withdrawn by who hears of it.
GRANT UPDATE (state, finished_at, problem) ON notification TO billbus_events;

-- The relay shows how many holds are overdue.
GRANT SELECT ON booking TO billbus_relay;

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

-- ---------------------------------------------------------------- invariants of bookings

CREATE VIEW invariant.always_no_hall_is_taken_twice AS
    SELECT a.studio_id, a.hall_id::text AS subject,
        'occupancies ' || a.id || ' and ' || b.id || ' stood at one time from ' || greatest(a.starts_at, b.starts_at)
        AS fault
    FROM occupancy a JOIN occupancy b ON b.hall_id = a.hall_id AND b.id > a.id AND b.during && a.during
        AND greatest(a.created_at, b.created_at) < least(
            coalesce(a.released_at, 'infinity'), coalesce(b.released_at, 'infinity'));
COMMENT ON VIEW invariant.always_no_hall_is_taken_twice IS 'I9: at no time did two live occupancies of a hall overlap, now or at any moment before.';

GRANT SELECT ON ALL TABLES IN SCHEMA invariant TO billbus_verify;
