"""What an id of the audit is: whose list it stands in and what people call it, a page at a time.

The audit tells ids alone, of whatever was acted upon; one query finds them all by their keys.
"""

from collections.abc import Iterable
from typing import Final
from uuid import UUID

from sqlalchemy import Connection, text

from web.views import View


class Subject(View):
    """Something that was acted upon: the listing where it stands, and its name or number.

    A command stands in one only while it is parked.
    """

    listing: str
    id: UUID
    name: str


_SUBJECTS: Final = text("""
    SELECT 'customers' AS listing, id, COALESCE(NULLIF(name, ''), email) AS name
        FROM customer WHERE id = ANY(:ids)
    UNION ALL SELECT 'staff', id, COALESCE(NULLIF(name, ''), email) FROM staff_member WHERE id = ANY(:ids)
    UNION ALL SELECT 'subscriptions', s.id, plan.name FROM subscription s
        JOIN price ON price.id = s.price_id JOIN plan ON plan.id = price.plan_id WHERE s.id = ANY(:ids)
    UNION ALL SELECT 'invoices', id, number FROM invoice WHERE id = ANY(:ids)
    UNION ALL SELECT 'payments', a.id, i.number FROM payment_attempt a
        JOIN invoice i ON i.id = a.invoice_id WHERE a.id = ANY(:ids)
    UNION ALL SELECT 'received', id, transaction_id FROM provider_payment WHERE id = ANY(:ids)
    UNION ALL SELECT 'refunds', r.id, COALESCE(i.number, r.payment_transaction_id) FROM refund r
        LEFT JOIN invoice i ON i.id = r.invoice_id WHERE r.id = ANY(:ids)
    UNION ALL SELECT 'bookings', b.id, hall.name FROM booking b
        JOIN hall ON hall.id = b.hall_id WHERE b.id = ANY(:ids)
    UNION ALL SELECT 'halls', id, name FROM hall WHERE id = ANY(:ids)
    UNION ALL SELECT 'tariffs', t.id, hall.name FROM tariff t
        JOIN hall ON hall.id = t.hall_id WHERE t.id = ANY(:ids)
    UNION ALL SELECT 'extras', id, name FROM extra WHERE id = ANY(:ids)
    UNION ALL SELECT 'blackouts', o.id, hall.name FROM occupancy o JOIN hall ON hall.id = o.hall_id
        WHERE o.id = ANY(:ids) AND o.kind = 'blackout' AND o.released_at IS NULL
    UNION ALL SELECT 'booking_terms', id, name FROM studio WHERE id = ANY(:ids)
    UNION ALL SELECT 'plans', id, name FROM plan WHERE id = ANY(:ids)
    UNION ALL SELECT 'prices', price.id, plan.name FROM price
        JOIN plan ON plan.id = price.plan_id WHERE price.id = ANY(:ids)
    UNION ALL SELECT 'provider_accounts', id, public_id FROM provider_account WHERE id = ANY(:ids)
    UNION ALL SELECT 'invitations', id, email FROM invitation WHERE id = ANY(:ids)
    UNION ALL SELECT 'tokens', id, label FROM session WHERE id = ANY(:ids) AND label IS NOT NULL
    UNION ALL SELECT CASE state WHEN 'parked' THEN 'parked' ELSE 'commands' END, command_id, kind
        FROM command_journal WHERE command_id = ANY(:ids)
""")


def subjects_of(connection: Connection, ids: Iterable[UUID | None]) -> dict[UUID, Subject]:
    """What those ids are that are found in the studio; a draft's name is empty."""
    wanted = {each for each in ids if each is not None}
    if not wanted:
        return {}
    rows = connection.execute(_SUBJECTS, {"ids": list(wanted)})
    return {row.id: Subject(listing=row.listing, id=row.id, name=row.name or "") for row in rows}
