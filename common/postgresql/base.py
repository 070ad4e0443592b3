"""The database backend: that of django-tenants, told what a savepoint takes back.

A ``SET search_path`` is undone with the savepoint in which it was sent. django-tenants forgets what it has set after a
whole transaction is rolled back; here it does so after a savepoint too, so that no row can go to another brand's schema.
"""

from django_tenants.postgresql_backend import base


class DatabaseWrapper(base.DatabaseWrapper):  # type: ignore[misc]  # django-tenants has no type stubs
    """A connection that never trusts a search path which the server may have taken back."""

    def _savepoint_rollback(self, sid: str) -> None:
        super()._savepoint_rollback(sid)
        self.search_path_set_schemas = None
