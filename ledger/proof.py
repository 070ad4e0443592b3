"""Proving the ledger: what must hold is asked of every row, and the first that breaks it is named.

Constraints and triggers keep these promises already; the proof is for what gets past them: a restore gone wrong, a
disk, a person with the owner's password. Each check is one statement, so that it sees one moment.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from django.db import connection

# What each transfer did to the lots of its two sides. A single lot is named by the transfer itself; what was taken is
# in the lot uses (above zero), and so is what was given back (below); value that moves between holders keeps its days.
LOT_CHANGES = """
    SELECT credit_id AS account_id, expires_on, amount AS change, posted_at
    FROM ledger_transfer WHERE expires_on IS NOT NULL
    UNION ALL
    SELECT CASE WHEN u.amount > 0 THEN t.debit_id ELSE t.credit_id END, u.expires_on, -u.amount, t.posted_at
    FROM ledger_lotuse u JOIN ledger_transfer t ON t.id = u.transfer_id
    UNION ALL
    SELECT t.credit_id, u.expires_on, u.amount, t.posted_at
    FROM ledger_lotuse u JOIN ledger_transfer t ON t.id = u.transfer_id
    JOIN ledger_account a ON a.id = t.credit_id AND a.kind = 'holder'
    WHERE u.amount > 0 AND t.expires_on IS NULL AND t.kind BETWEEN 10 AND 19
"""

MOVEMENTS = """
    SELECT debit_id AS account_id, -amount AS change, posted_at, kind FROM ledger_transfer
    UNION ALL
    SELECT credit_id, amount, posted_at, kind FROM ledger_transfer
"""


@dataclass(frozen=True, slots=True)
class Fault:
    """One broken promise: which check found it, in which row of which table, and what is wrong."""

    check: str
    table: str
    row: str
    detail: str


@dataclass(frozen=True, slots=True)
class Check:
    """One promise: the statement returns the row and a sentence for each break of it, lowest row first."""

    name: str
    table: str
    sql: str


CHECKS = (
    Check(
        "transfer_names_accounts",
        "ledger_transfer",
        """SELECT t.id, format('moves between accounts %s and %s, of which one does not exist', t.debit_id, t.credit_id)
        FROM ledger_transfer t LEFT JOIN ledger_account d ON d.id = t.debit_id
        LEFT JOIN ledger_account c ON c.id = t.credit_id WHERE d.id IS NULL OR c.id IS NULL ORDER BY t.id LIMIT 1""",
    ),
    Check(
        "transfer_amount",
        "ledger_transfer",
        """SELECT id, format('moves %s from account %s to %s', amount, debit_id, credit_id) FROM ledger_transfer
        WHERE amount <= 0 OR amount > 9007199254740991 OR debit_id = credit_id OR linked < 1 ORDER BY id LIMIT 1""",
    ),
    Check(
        "transfer_unit",
        "ledger_transfer",
        """SELECT t.id, format('turns %s into %s, so that neither unit sums to zero', d.unit, c.unit)
        FROM ledger_transfer t JOIN ledger_account d ON d.id = t.debit_id JOIN ledger_account c ON c.id = t.credit_id
        WHERE d.unit <> c.unit ORDER BY t.id LIMIT 1""",
    ),
    Check(
        "transfer_sides",
        "ledger_transfer",
        """SELECT t.id, format('of kind %s moves from a %s to a %s account', t.kind, d.kind, c.kind)
        FROM ledger_transfer t JOIN ledger_account d ON d.id = t.debit_id JOIN ledger_account c ON c.id = t.credit_id
        WHERE NOT CASE WHEN t.kind < 10 THEN d.kind = 'system' AND c.kind = 'holder'
            WHEN t.kind = 12 THEN d.clawback_of_id = c.id OR c.clawback_of_id = d.id
            WHEN t.kind < 20 THEN d.kind <> 'system' OR c.kind <> 'system'
            WHEN t.kind < 30 THEN d.kind = 'holder' AND c.kind = 'system'
            ELSE d.kind = 'system' AND c.kind = 'system' END ORDER BY t.id LIMIT 1""",
    ),
    Check(
        "transfer_cause",
        "ledger_transfer",
        """SELECT max(id), format('repeats the cause of transfer %s', min(id)) FROM ledger_transfer
        GROUP BY cause_id, cause_kind, kind, debit_id, credit_id HAVING count(*) > 1 ORDER BY 1 LIMIT 1""",
    ),
    Check(
        "transfer_group",
        "ledger_transfer",
        """SELECT min(id), format('stands in a group of %s, of which %s are there', linked, count(*))
        FROM ledger_transfer GROUP BY cause_kind, cause_id, xact, linked
        HAVING count(*) % linked <> 0 ORDER BY 1 LIMIT 1""",
    ),
    Check(
        "reversal_mirrors",
        "ledger_transfer",
        """SELECT r.id, format('is not the exact opposite of transfer %s', r.cause_id)
        FROM ledger_transfer r LEFT JOIN ledger_transfer o ON o.id = r.cause_id
        WHERE r.kind = 11 AND (o.id IS NULL OR r.cause_kind <> 3 OR o.debit_id <> r.credit_id
            OR o.credit_id <> r.debit_id OR o.amount <> r.amount OR o.kind IN (11, 12, 21)) ORDER BY r.id LIMIT 1""",
    ),
    Check(
        "reversal_once",
        "ledger_transfer",
        """SELECT max(id), format('reverses transfer %s once more', cause_id) FROM ledger_transfer
        WHERE kind = 11 GROUP BY cause_id HAVING count(*) > 1 ORDER BY 1 LIMIT 1""",
    ),
    Check(
        "account_balance",
        "ledger_account",
        f"""SELECT a.id, format('says %s, its transfers say %s', a.posted, COALESCE(m.total, 0))
        FROM ledger_account a
        LEFT JOIN (SELECT account_id, sum(change) AS total FROM ({MOVEMENTS}) m GROUP BY account_id) m
            ON m.account_id = a.id
        WHERE a.kind <> 'system' AND a.posted <> COALESCE(m.total, 0) ORDER BY a.id LIMIT 1""",  # noqa: S608 - a constant of our own
    ),
    Check(
        "account_floor",
        "ledger_account",
        """SELECT id, format('holds %s and reserves %s, with floor %s', posted, held, floor) FROM ledger_account
        WHERE posted - held < floor OR held < 0 OR kind = 'clawback' AND posted > 0
            OR kind = 'system' AND (posted <> 0 OR held <> 0) OR status = 'closed' AND (posted <> 0 OR held <> 0)
        ORDER BY id LIMIT 1""",
    ),
    Check(
        "account_clawback",
        "ledger_account",
        """SELECT c.id, format('does not belong to a holder of its unit (account %s)', c.clawback_of_id)
        FROM ledger_account c LEFT JOIN ledger_account h ON h.id = c.clawback_of_id AND h.kind = 'holder'
        WHERE c.kind = 'clawback' AND (h.id IS NULL OR h.unit <> c.unit) ORDER BY c.id LIMIT 1""",
    ),
    Check(
        "lots_make_balance",
        "ledger_account",
        """SELECT a.id, format('holds %s in lots, and %s in all', COALESCE(l.total, 0), a.posted)
        FROM ledger_account a
        LEFT JOIN (SELECT account_id, sum("left") AS total FROM ledger_lot GROUP BY account_id) l ON l.account_id = a.id
        WHERE COALESCE(l.total, 0) <> CASE WHEN a.kind = 'holder' THEN a.posted ELSE 0 END ORDER BY a.id LIMIT 1""",
    ),
    Check(
        "lot_follows_transfers",
        "ledger_lot",
        f"""SELECT format('%s/%s', account_id, expires_on),
            format('holds %s, its transfers say %s', COALESCE(l."left", 0), COALESCE(h.total, 0))
        FROM ledger_lot l FULL JOIN (SELECT account_id, expires_on, sum(change) AS total FROM ({LOT_CHANGES}) c
            GROUP BY account_id, expires_on) h USING (account_id, expires_on)
        WHERE COALESCE(l."left", 0) <> COALESCE(h.total, 0) ORDER BY account_id, expires_on LIMIT 1""",  # noqa: S608 - likewise
    ),
    Check(
        "lot_below_zero",
        "ledger_lot",
        """SELECT format('%s/%s', account_id, expires_on), format('holds %s', "left") FROM ledger_lot
        WHERE "left" < 0 AND expires_on < '9999-12-31' ORDER BY account_id, expires_on LIMIT 1""",
    ),
    Check(
        "lot_use_names_transfer",
        "ledger_lotuse",
        """SELECT format('%s/%s', transfer_id, expires_on), 'belongs to no transfer' FROM ledger_lotuse u
        WHERE NOT EXISTS (SELECT FROM ledger_transfer t WHERE t.id = u.transfer_id)
        ORDER BY transfer_id, expires_on LIMIT 1""",
    ),
    Check(
        "lot_uses_make_amount",
        "ledger_transfer",
        """SELECT t.id, format('moves %s, of which %s came from lots', t.amount, COALESCE(u.total, 0))
        FROM ledger_transfer t JOIN ledger_account d ON d.id = t.debit_id
        LEFT JOIN (SELECT transfer_id, sum(amount) AS total FROM ledger_lotuse WHERE amount > 0 GROUP BY transfer_id) u
            ON u.transfer_id = t.id
        WHERE COALESCE(u.total, 0) <> CASE WHEN d.kind = 'holder' THEN t.amount ELSE 0 END ORDER BY t.id LIMIT 1""",
    ),
    Check(
        "holds_make_held",
        "ledger_account",
        """SELECT a.id, format('reserves %s, its open holds say %s', a.held, COALESCE(h.total, 0))
        FROM ledger_account a LEFT JOIN (SELECT account_id, sum(amount) AS total FROM ledger_hold
            WHERE state = 'open' GROUP BY account_id) h ON h.account_id = a.id
        WHERE a.held <> COALESCE(h.total, 0) ORDER BY a.id LIMIT 1""",
    ),
    Check(
        "hold_settled_once",
        "ledger_hold",
        """SELECT COALESCE(h.id, t.cause_id), format('says %s of %s was settled, its transfers say %s',
            COALESCE(h.settled, 0), COALESCE(h.amount, 0), COALESCE(t.total, 0))
        FROM ledger_hold h FULL JOIN (SELECT cause_id, sum(amount) AS total FROM ledger_transfer
            WHERE cause_kind = 2 GROUP BY cause_id) t ON t.cause_id = h.id
        WHERE COALESCE(h.settled, 0) <> COALESCE(t.total, 0) OR h.settled > h.amount ORDER BY 1 LIMIT 1""",
    ),
)


def verify() -> Iterator[Fault]:
    """Ask every promise of every row; yield the first row that breaks each."""
    for check in CHECKS:
        with connection.cursor() as cursor:
            cursor.execute(check.sql)
            for row, detail in cursor.fetchall():
                yield Fault(check.name, check.table, str(row), detail)
