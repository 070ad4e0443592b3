"""Transactions and the migration operations that guard tables.

Each operation sends one SQL statement per execution, since schema-based sharding accepts no multi-statement text.
"""

import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import lru_cache, wraps
from typing import Any, ParamSpec, TypeAlias, TypeVar

from django.db import DEFAULT_DB_ALIAS, connection, connections, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState

from common.postgresql import sender

P = ParamSpec("P")
R = TypeVar("R")
Rows: TypeAlias = sender.Rows


def inside_transaction(function: Callable[P, R]) -> Callable[P, R]:
    """Mark a function that must run inside its caller's transaction; a call outside one is a programmer's mistake."""

    @wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        if not connection.in_atomic_block:
            raise RuntimeError(f"{function.__qualname__} must be called inside a transaction")
        return function(*args, **kwargs)

    return wrapper


def schema_name() -> str:
    """Return the schema of the brand (or "public") that the connection points at."""
    return str(connections[DEFAULT_DB_ALIAS].schema_name)  # type: ignore[attr-defined]  # django-tenants' own backend


class Xid8Field(models.BigIntegerField):
    """The transaction that wrote a row (PostgreSQL ``xid8``): never set by us, compared with ``pg_snapshot_xmin``."""

    def db_type(self, connection: Any) -> str:
        """Return the column's type."""
        return "xid8"

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> str | None:
        """Return the number as text: PostgreSQL compares no integer with an xid8."""
        return None if value is None else str(value)

    def from_db_value(self, value: Any, *_: Any) -> int | None:
        """Return the number: the driver hands over text."""
        return None if value is None else int(value)


def array(values: Iterable[object]) -> str:
    """Return numbers (or None) as the text of a PostgreSQL array, to be cast: ``%s::bigint[]``.

    Building one text is ten times cheaper than having the driver adapt each element, and a list of numbers Python itself
    writes nearly as PostgreSQL reads it. Of other columns most hold one value all the way down; its text is made once.
    """
    values = list(values)
    if _NUMBERS.issuperset(map(type, values)):
        return "{" + repr(values)[1:-1].replace("None", "NULL") + "}"
    is_one = values.count(values[0]) == len(values)
    return "{" + ",".join([_text(values[0])] * len(values) if is_one else map(_text, values)) + "}"


_NUMBERS = frozenset({int, float, bool, type(None)})


def _text(value: object) -> str:
    return "NULL" if value is None else str(value)


def column(values: Iterable[Any], write: Callable[[Iterable[Any]], str] = array) -> str:
    """Return a column for `rows_from`, of at least one row: as ``write`` does, one element where all are alike."""
    values = values if isinstance(values, list | tuple) else list(values)
    first = values[0]
    return write([first] if first == values[-1] and values.count(first) == len(values) else values)


def rows_from(keys: Mapping[str, str], **columns: str) -> str:
    """Return the FROM item that makes rows of arrays, ``%(name)s`` each; names and their types are given.

    ``keys`` are unnested and have an element for each row. Of ``columns`` an element is read by its place, for half of what
    ``unnest`` costs, and an array of one element stands for all rows, for a quarter: most columns of a batch say one thing
    all the way down (`column`). To find its place in a column with NULLs or texts, the server counts from the beginning.
    """
    names = ", ".join(f'"{name}"' for name in keys)
    arrays = ", ".join(f"%({name})s::{kind}[]" for name, kind in keys.items())
    read = ", ".join(f'"{name}"[least(place, cardinality("{name}"))] AS "{name}"' for name in columns)
    given = ", ".join(f'%({name})s::{kind}[] AS "{name}"' for name, kind in columns.items())
    unnested = f"unnest({arrays}) WITH ORDINALITY AS keys ({names}, place)"
    return f"(SELECT {names}, {read} FROM {unnested}, (SELECT {given}) AS given)"  # noqa: S608 - names of our own


def bytes_array(values: Iterable[bytes | None]) -> str:
    """Return byte strings (or None) as the text of a PostgreSQL array, to be cast: ``%s::bytea[]``."""
    return "{" + ",".join(["NULL" if value is None else '"\\\\x' + value.hex() + '"' for value in values]) + "}"


def texts(values: Iterable[str | None]) -> str:
    """Return texts (or None) as the text of a PostgreSQL array, to be cast: ``%s::text[]``."""
    values = values if isinstance(values, list | tuple) else list(values)
    if values and None not in values:
        inside = '","'.join(values)  # type: ignore[arg-type]
        if "\\" not in inside and inside.count('"') == 2 * len(values) - 2:  # as nearly always: nothing to escape
            return '{"' + inside + '"}'
    return "{" + ",".join(["NULL" if value is None else _quoted(value) for value in values]) + "}"


def _quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def moments(values: Iterable[datetime]) -> str:
    """Return moments as the text of a PostgreSQL array, to be cast: ``%s::timestamptz[]``."""
    values = list(values)
    texts = {value: '"' + value.isoformat() + '"' for value in set(values)}  # those of one bulk call are one
    return "{" + ",".join([texts[value] for value in values]) + "}"


def ask(
    statement: str, values: Sequence[object] | Mapping[str, object], *, unless: type[Exception] | None = None
) -> Rows:
    """Send a statement that the server prepares: for the few that run thousands of times.

    Django's own cursors write the values into the text, which is parsed and planned anew each time. Here a statement
    that the connection has seen before keeps its plan, one for each brand: a plan is of one schema's tables.
    Within `pipelined` it waits for those behind it, or for the first question.

    ``unless`` is raised instead of an error where the statement divides by zero: that is how it stops those behind it,
    `ask_commit` among them (PostgreSQL has no assertion that a statement could make).
    """
    database = _connected()
    if database.queries_logged:  # tests count statements
        database.queries_log.append({"sql": statement, "time": "0.000"})
    text, names = _of_brand(statement, database.schema_name)
    in_order = [values[name] for name in names] if isinstance(values, Mapping) else values
    rows: Rows = database.sender.put(text, in_order, unless)
    return rows


def ask_commit() -> None:
    """Commit behind the statements that wait: what they lock is then held no longer than the server itself takes.

    For the last block of `pipelined` in a transaction: `atomic` finds nothing left to commit. Inside another transaction
    that one commits.
    """
    database = _connected()
    if database.in_atomic_block and not database.savepoint_ids:
        database.sender.commit()


_PLACE = re.compile(r"%(?:%|s|\((\w+)\)s)")


@lru_cache(maxsize=2**16)
def _of_brand(statement: str, schema: str) -> tuple[bytes, list[str]]:
    """Return a statement as the server takes it, told apart from other brands' by its text; and the names of its values."""
    names: list[str] = []
    numbers = itertools.count(1)

    def number(place: re.Match[str]) -> str:
        name = place[1]
        if place[0] == "%%":
            return "%"
        if name is None:
            return f"${next(numbers)}"
        if name not in names:
            names.append(name)
        return f"${names.index(name) + 1}"

    return f"/* {schema} */ {_PLACE.sub(number, statement)}".encode(), names


def commit_unhurried() -> None:
    """Let this thread's commits return before they are on disk, until its connection closes.

    For a thread whose work is acknowledged by its last transaction alone: the log is written in order, so that once a
    commit marked by `hurried` has returned, all that was committed before it, by whomever, is on disk as well.
    """
    database = _connected()
    if getattr(database, "unhurried", None) is not database.connection:
        database.connection.execute("SET synchronous_commit = off")
        database.unhurried = database.connection


@inside_transaction
def hurried() -> None:
    """Have this transaction's commit return once it is on disk, as every commit does but for `commit_unhurried`."""
    ask(f"SELECT {HURRIED}", [])


HURRIED = "set_config('synchronous_commit', NULL, true)"  # for one transaction: as the server has it


@contextmanager
def pipelined() -> Iterator[None]:
    """Send all statements of the block at once: a round trip costs both sides more than most statements do.

    They run in the order in which they were asked; one that fails stops those behind it and raises at the end of the
    block, at the latest. Read rows after the block: what is read within it is sent before its end, with all that wait.
    """
    waits = _connected().sender
    waits.blocks += 1
    try:
        yield
    except BaseException:
        waits.drop()
        raise
    finally:
        waits.blocks -= 1
    waits.send()


def _connected() -> Any:
    """Return this thread's connection, which is open and was found to work since the request began."""
    database: Any = connections[DEFAULT_DB_ALIAS]  # itself: `django.db.connection` costs at each attribute
    if not database.search_path_set_schemas:
        database.close_if_health_check_failed()
        database.ensure_connection()
    return database


class _Statements(Operation):
    """Run a list of SQL statements, each in an execution of its own, and their reverse."""

    reversible = True
    reduces_to_sql = True

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        """Change nothing in Django's view of the models."""

    def forwards(self) -> list[str]:
        raise NotImplementedError

    def backwards(self) -> list[str]:
        raise NotImplementedError

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        """Run the statements."""
        if not _migrates_here(schema_editor, app_label):
            return
        for statement in self.forwards():
            schema_editor.execute(statement, params=None)

    def database_backwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        """Run the reverse statements."""
        if not _migrates_here(schema_editor, app_label):
            return
        for statement in self.backwards():
            schema_editor.execute(statement, params=None)


def _migrates_here(schema_editor: BaseDatabaseSchemaEditor, app_label: str) -> bool:
    from django.db import router

    return router.allow_migrate(schema_editor.connection.alias, app_label)


_REFUSE_FUNCTION = """
CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: write a new row instead', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$
"""


class AppendOnly(_Statements):
    """Refuse UPDATE, DELETE and TRUNCATE on a table: by trigger for everyone, by grant for the application's role.

    ``updatable`` names columns which may still change (for example a receipt filled in later in the transaction).
    """

    def __init__(self, table: str, updatable: tuple[str, ...] = ()) -> None:
        self.table = table
        self.updatable = updatable

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        """Return how to write this operation in a migration."""
        return (self.__class__.__qualname__, [self.table], {"updatable": self.updatable} if self.updatable else {})

    def describe(self) -> str:
        """Return the line that `migrate` prints."""
        return f"Make {self.table} append-only"

    def forwards(self) -> list[str]:
        """Return the statements that install the triggers."""
        update = "UPDATE OR DELETE" if not self.updatable else "DELETE"
        return [
            _REFUSE_FUNCTION,
            f'CREATE TRIGGER append_only_rows BEFORE {update} ON "{self.table}"'
            " FOR EACH ROW EXECUTE FUNCTION refuse_change()",
            f'CREATE TRIGGER append_only_table BEFORE TRUNCATE ON "{self.table}"'
            " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()",
            *self._grants(),
        ]

    def backwards(self) -> list[str]:
        """Return the statements that remove them."""
        return [
            f'DROP TRIGGER append_only_table ON "{self.table}"',
            f'DROP TRIGGER append_only_rows ON "{self.table}"',
        ]

    def _grants(self) -> list[str]:
        from django.conf import settings

        role = app_role(settings.DATABASE_URL)
        if not role or role == app_role(settings.DATABASE_OWNER_URL):
            return []
        revoke = [f'REVOKE UPDATE, DELETE, TRUNCATE ON "{self.table}" FROM "{role}"']
        if self.updatable:
            columns = ", ".join(f'"{column}"' for column in self.updatable)
            revoke.append(f'GRANT UPDATE ({columns}) ON "{self.table}" TO "{role}"')
        return revoke


_AUDIT_FUNCTION = """
CREATE OR REPLACE FUNCTION write_audit() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    before_row jsonb := CASE WHEN TG_OP = 'INSERT' THEN NULL ELSE to_jsonb(OLD) - TG_ARGV[0]::text[] END;
    after_row jsonb := CASE WHEN TG_OP = 'DELETE' THEN NULL ELSE to_jsonb(NEW) - TG_ARGV[0]::text[] END;
BEGIN
    IF TG_OP = 'UPDATE' AND before_row = after_row THEN
        RETURN NULL;
    END IF;
    INSERT INTO staff_audit (at, table_name, row_id, act, before, after, actor, reason, request_id, ip_prefix)
    VALUES (clock_timestamp(), TG_TABLE_NAME, COALESCE(after_row ->> 'id', before_row ->> 'id', ''), lower(TG_OP),
            before_row, after_row,
            COALESCE(current_setting('zhenbiao.actor', true), ''), COALESCE(current_setting('zhenbiao.reason', true), ''),
            COALESCE(current_setting('zhenbiao.request_id', true), ''),
            COALESCE(current_setting('zhenbiao.ip_prefix', true), ''));
    RETURN NULL;
END $$
"""


class Audited(_Statements):
    """Write each insert, update and delete of a table's rows into ``staff_audit``, whoever makes it.

    ``leave_out`` names the columns that are personal or secret. Actor, reason, request id and IP prefix are read from
    transaction-local settings (`staff.audit.acting`).
    """

    def __init__(self, table: str, leave_out: tuple[str, ...] = ()) -> None:
        self.table = table
        self.leave_out = leave_out

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        """Return how to write this operation in a migration."""
        return (self.__class__.__qualname__, [self.table], {"leave_out": self.leave_out} if self.leave_out else {})

    def describe(self) -> str:
        """Return the line that `migrate` prints."""
        return f"Audit changes of {self.table}"

    def forwards(self) -> list[str]:
        """Return the statements that install the trigger."""
        columns = "{" + ",".join(self.leave_out) + "}"
        return [
            _AUDIT_FUNCTION,
            f'CREATE TRIGGER audited AFTER INSERT OR UPDATE OR DELETE ON "{self.table}"'
            f" FOR EACH ROW EXECUTE FUNCTION write_audit('{columns}')",
        ]

    def backwards(self) -> list[str]:
        """Return the statement that removes it."""
        return [f'DROP TRIGGER audited ON "{self.table}"']


def app_role(url: str) -> str:
    """Return the role named in a ``postgresql://`` URL, or an empty string."""
    from psycopg.conninfo import conninfo_to_dict

    return str(conninfo_to_dict(url).get("user", "")) if url else ""
