"""The statements of redemptions by themselves, as pgbench's are: kept while the engine sends them, and sent again to a copy
of the database from before. What is compared with TPC-B is then SQL with SQL, and the interpreter's part is left out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bench.engines import expect_redeemed, in_threads
from bench.server import BRAND, Bench
from common.postgresql.sender import Rows, Sender
from config import embedded

COPY = "copy"
COUNTED = ("redemption_request", "redemption_redemption", "redemption_scan", "redemption_scanplace", "ledger_transfer")


@dataclass(frozen=True, slots=True)
class Exchange:
    """Statements that travelled together, with their values; whether they were in a transaction, and ended it."""

    statements: list[tuple[bytes, Sequence[object], type[Exception] | None]]
    in_transaction: bool
    commits: bool


class Recorder(Sender):
    """Keeps all that it sends."""

    def __init__(self, database: Any, connection: Any) -> None:
        super().__init__(database, connection)
        self.exchanges: list[Exchange] = []
        self._asked: list[tuple[bytes, Sequence[object], type[Exception] | None]] = []

    def put(self, text: bytes, values: Sequence[object], unless: type[Exception] | None) -> Rows:
        self._asked.append((text, values, unless))
        return super().put(text, values, unless)

    def send(self) -> None:
        asked, self._asked = self._asked, []
        if asked:
            self.exchanges.append(Exchange(asked, not self._connection.autocommit, self._commits))
        super().send()


class Replay:
    """Batches of redemptions that were made once, and a copy of the database as it was before them."""

    def __init__(self, bench: Bench, stock: Any, *, rounds: int, batches: int, size: int) -> None:
        from django.db import connection, connections

        from bench.stock import use_brand
        from redemption.services import redeem_each

        self.bench, self.size = bench, size
        todo = [[stock.attempts(size) for _ in range(batches)] for _ in range(rounds)]
        connection.close()  # a template may have no guests
        bench.run("createdb", "-O", embedded.OWNER_ROLE, "-T", embedded.DATABASE, COPY, database="postgres")
        use_brand(BRAND)
        kept = connection.sender = Recorder(connection, connection.connection)
        self.rounds: list[list[list[Exchange]]] = []
        for some in todo:
            self.rounds.append([])
            for batch in some:
                for answer in redeem_each(batch):
                    expect_redeemed(answer)
                self.rounds[-1].append(kept.exchanges)
                kept.exchanges = []
        connection.close()
        connections.databases[COPY] = {**connections.databases["default"], "NAME": COPY}
        self.made = self._rows(embedded.DATABASE)

    def round(self, threads: int) -> tuple[float, int]:
        """Send the batches of a round by so many connections; return redemptions per second and their number.

        Raises `RuntimeError` if after the last round the copy does not hold what the database held after its batches.
        """
        batches = self.rounds.pop()
        per_s = in_threads(batches, _send, threads, BRAND) * self.size
        if not self.rounds and self._rows(COPY) != self.made:
            raise RuntimeError(f"the copy holds {self._rows(COPY)}, not {self.made}")
        return per_s, len(batches) * self.size

    def _rows(self, database: str) -> str:
        counts = ", ".join(f"(SELECT count(*) FROM {BRAND}.{table})" for table in COUNTED)
        return self.bench.run(
            "psql", "-Atc", f"SELECT {counts}, sum(posted) FROM {BRAND}.ledger_account", database=database
        )


def _send(batch: Sequence[Exchange]) -> None:
    from django.db import connection, connections

    copy = connections[COPY]
    if copy.connection is None:
        copy.set_tenant(connection.tenant)
        copy.ensure_connection()
    sender = copy.sender
    sender.blocks = 1
    for exchange in batch:
        if copy.connection.autocommit is exchange.in_transaction:
            copy.connection.autocommit = not exchange.in_transaction
        for statement in exchange.statements:
            sender.put(*statement)
        if exchange.commits:
            sender.commit()
        sender.send()
