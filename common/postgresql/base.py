"""The database backend: that of django-tenants, told what a savepoint takes back, with a `Sender` for each connection.

A ``SET search_path`` is undone with the savepoint in which it was sent. django-tenants forgets what it has set after a
whole transaction is rolled back; here it does so after a savepoint too, so that no row can go to another brand's schema.
"""

from typing import Any

from django_tenants.postgresql_backend import base

from common.postgresql.sender import Sender


class DatabaseWrapper(base.DatabaseWrapper):  # type: ignore[misc]  # django-tenants has no type stubs
    """A connection that never trusts a search path which the server may have taken back."""

    sender: Sender | None = None

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """Connect."""
        connection = super().get_new_connection(conn_params)
        self.sender = Sender(self, connection)
        return connection

    def path_to_set(self) -> bytes | None:
        """Return the command that points the connection at its schema, None if it does so already."""
        if self.search_path_set_schemas:
            return None
        return ("SET search_path = " + ", ".join(f"'{name}'" for name in self._get_cursor_search_paths())).encode()

    def path_was_set(self, command: bytes | None, succeeded: bool) -> None:
        """Remember that `path_to_set` was obeyed; not after a failure, which may have undone it."""
        if not succeeded:
            self.search_path_set_schemas = None
        elif command is not None:
            self.search_path_set_schemas = self._get_cursor_search_paths()

    def _cursor(self, name: str | None = None) -> Any:
        if self.sender is not None:
            self.sender.send()  # what was asked before is run before
        return super()._cursor(name)

    def _commit(self) -> Any:
        if self.sender is not None:
            self.sender.send()
        return super()._commit()

    def _rollback(self) -> Any:
        if self.sender is not None:
            self.sender.drop()
        return super()._rollback()

    def _savepoint_rollback(self, sid: str) -> None:
        super()._savepoint_rollback(sid)
        self.search_path_set_schemas = None
