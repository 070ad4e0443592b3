"""Statements that the server has prepared, sent together: one write and one wait for any number of them.

psycopg's own pipeline hands each statement to the socket by itself and polls the socket twice for each, and at every poll
another thread may take the interpreter: for a batch of redemptions that cost more than all else. Here libpq's pipeline mode
(PostgreSQL, "libpq Pipeline Mode") is driven by way of `psycopg.pq`, and a transaction begins in the write that needs it.
"""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from psycopg import Connection
from psycopg.abc import Buffer, PQGen
from psycopg.adapt import PyFormat, Transformer
from psycopg.errors import DivisionByZero, error_from_result
from psycopg.generators import fetch_many, send
from psycopg.pq import ExecStatus, Format, TransactionStatus
from psycopg.pq.abc import PGresult

PREPARED_MOST = 4096  # some forty for each of a hundred brands; the least used is dropped for a new one
IDLE = TransactionStatus.IDLE
FAILED = ExecStatus.FATAL_ERROR, ExecStatus.PIPELINE_ABORTED
Key = tuple[bytes, tuple[int, ...]]  # text, types of the values


class Rows:
    """The rows that a statement brings. Read before it was sent with others, it is sent then, with all that wait."""

    __slots__ = ("_sender", "formats", "key", "result", "unless", "values")

    def __init__(
        self,
        sender: "Sender",
        key: Key,
        values: Sequence[Buffer | None],
        formats: Sequence[Format] | None,
        unless: type[Exception] | None,
    ) -> None:
        self._sender, self.key, self.values, self.formats, self.unless = sender, key, values, formats, unless
        self.result: PGresult | None = None

    def __call__(self) -> list[Any]:
        """Return the rows."""
        return self._sender.load(self._answer())

    @property
    def count(self) -> int:
        """How many rows were returned or changed."""
        result = self._answer()
        return result.command_tuples or 0 if result.status == ExecStatus.COMMAND_OK else result.ntuples

    def _answer(self) -> PGresult:
        if self.result is None:
            self._sender.send()
        if self.result is None:
            raise RuntimeError("the statement was not run: one before it failed")
        return self.result


class Sender:
    """What waits to be sent over one connection, and the statements that its server process has prepared."""

    def __init__(self, database: Any, connection: "Connection[Any]") -> None:
        self._database, self._connection = database, connection
        self._transformer = Transformer(connection)
        self._names: OrderedDict[Key, bytes] = OrderedDict()
        self._numbered = 0
        self._waiting: list[Rows] = []
        self._commits = False
        self.blocks = 0  # of `common.db.pipelined`, one within the other

    def put(self, text: bytes, values: Sequence[object], unless: type[Exception] | None) -> Rows:
        """Let a statement wait; outside every block it is sent at once. ``unless``: raised where it divides by zero."""
        params = self._transformer.dump_sequence(values, [PyFormat.AUTO] * len(values))
        rows = Rows(self, (text, self._transformer.types or ()), params, self._transformer.formats, unless)
        self._waiting.append(rows)
        if not self.blocks:
            self.send()
        return rows

    def commit(self) -> None:
        """Let the transaction be committed behind all that waits."""
        self._commits = True

    def drop(self) -> None:
        """Forget what waits."""
        self._waiting.clear()
        self._commits = False

    def send(self) -> None:
        """Send all that waits and take in the answers. Raises the first error; nothing behind it was run."""
        waiting, self._waiting = self._waiting, []
        commits, self._commits = self._commits, False
        if not waiting:
            return
        path = self._database.path_to_set()
        with self._database.wrap_database_errors:
            try:
                error = self._connection.wait(self._exchange(path, waiting, commits))
            except BaseException:
                self._connection.pgconn.finish()  # what is still on its way would answer the next question
                raise
            self._database.path_was_set(path, error is None)
            if error is not None:
                raise error

    def load(self, result: PGresult) -> list[Any]:
        """Return the rows of an answer."""
        self._transformer.set_pgresult(result)
        return self._transformer.load_rows(0, result.ntuples, tuple)

    def _exchange(self, path: bytes | None, waiting: Sequence[Rows], commits: bool) -> "PQGen[Exception | None]":
        pgconn = self._connection.pgconn
        begins = not self._connection.autocommit and pgconn.transaction_status == IDLE
        pgconn.enter_pipeline_mode()
        asked: list[Rows | Key | None] = []  # what each answer is of: a statement, its preparation, or neither
        for command in (b"BEGIN" if begins else None, path, self._surplus()):
            if command is not None:
                pgconn.send_query_params(command, None)
                asked.append(None)
        for rows in waiting:
            name = self._names.get(rows.key)
            if name is None:
                self._numbered += 1
                name = self._names[rows.key] = b"ask_%d" % self._numbered
                pgconn.send_prepare(name, *rows.key)
                asked.append(rows.key)
            else:
                self._names.move_to_end(rows.key)
            pgconn.send_query_prepared(name, rows.values, param_formats=rows.formats)
            asked.append(rows)
        if commits:
            pgconn.send_query_params(b"COMMIT", None)
            asked.append(None)
        pgconn.pipeline_sync()
        yield from send(pgconn)
        error: Exception | None = None
        for what in asked:
            [result] = yield from fetch_many(pgconn)
            if result.status in FAILED:
                error = error or self._error_of(what, result)
                if isinstance(what, tuple):
                    del self._names[what]
            elif isinstance(what, Rows):
                what.result = result
        yield from fetch_many(pgconn)  # the answer to the end of the pipeline
        pgconn.exit_pipeline_mode()
        return error

    def _error_of(self, what: Rows | Key | None, result: PGresult) -> Exception:
        error = error_from_result(result, self._transformer.encoding)
        if isinstance(what, Rows) and what.unless is not None and isinstance(error, DivisionByZero):
            return what.unless()
        return error

    def _surplus(self) -> bytes | None:
        """Return the command that drops the least used statement, if there are too many."""
        if len(self._names) <= PREPARED_MOST:
            return None
        _key, name = self._names.popitem(last=False)
        return b"DEALLOCATE " + name
