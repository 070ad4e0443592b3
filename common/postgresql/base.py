"""The database backend: that of django-tenants, told what a savepoint takes back.

A ``SET search_path`` is undone with the savepoint in which it was sent. django-tenants forgets what it has set after a
whole transaction is rolled back; here it does so after a savepoint too, so that no row can go to another brand's schema.
"""

from typing import Any

from django_tenants.postgresql_backend import base

PREPARED_MOST = 4096  # some forty for each of a hundred brands; the least used is dropped for a new one


class DatabaseWrapper(base.DatabaseWrapper):  # type: ignore[misc]  # django-tenants has no type stubs
    """A connection that never trusts a search path which the server may have taken back."""

    def _savepoint_rollback(self, sid: str) -> None:
        super()._savepoint_rollback(sid)
        self.search_path_set_schemas = None

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """Connect; keep the prepared statements of many brands (`common.db.ask`), each of which a server process plans once."""
        connection = super().get_new_connection(conn_params)
        connection.prepared_max = PREPARED_MOST
        return connection
