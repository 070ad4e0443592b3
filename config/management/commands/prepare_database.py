"""Bring the database to this version of the code: grants for the application's role, all schemas migrated; places."""

from typing import Any

from django.conf import settings
from django.core.management import BaseCommand, call_command
from django.db import connection
from psycopg import sql

from brands.services import ensure_platform
from common import geo
from common.db import app_role


class Command(BaseCommand):
    help = __doc__

    def handle(self, *args: Any, **options: Any) -> None:
        """Run as the owner's role (manage.py sees to it)."""
        self._default_grants()
        call_command("migrate_schemas", shared=True, verbosity=0, interactive=False)
        ensure_platform()
        call_command("migrate_schemas", tenant=True, verbosity=0, interactive=False)
        geo.reduced()  # else the first redemption that names a place would wait for it

    def _default_grants(self) -> None:
        """Let the application's role read and write every table made from now on, and nothing else."""
        role = app_role(settings.DATABASE_URL)
        if not role or role == app_role(settings.DATABASE_OWNER_URL):
            return
        app = sql.Identifier(role)
        with connection.cursor() as cursor:
            for grant in (
                "GRANT USAGE ON SCHEMAS",
                "GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES",
                "GRANT USAGE, SELECT ON SEQUENCES",
            ):
                cursor.execute(sql.SQL("ALTER DEFAULT PRIVILEGES {} TO {}").format(sql.SQL(grant), app).as_string())
