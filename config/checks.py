"""System checks: production does not start when a setting is missing or unsafe.

`manage.py` runs them before every command; `refuse_unsafe` runs them, and those that ask the database server, when a
web or worker process starts. Outside production most are silent: demo and tests choose ease over safety on purpose.
"""

import sys
from collections.abc import Iterator, Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning as Caution, register, run_checks
from django.core.checks.messages import ERROR
from django.core.exceptions import ImproperlyConfigured
from django.db import connections
from django.db.utils import DatabaseError
from django.utils.module_loading import import_string

from common.db import app_role
from common.keys import kek_provider

SHORTEST_SECRET = 50
OLDEST_SERVER = 150_000
SERVER_SETTINGS = {
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "data_checksums": "on",
    "TimeZone": "UTC",
}
SIMULATED_PAYER = "lottery.payers.Simulator"
HOOKS = (
    "EVENT_SOURCES",
    "PRINTED_PACKS",
    "SCAN_HANDLER",
    "SMS_HANDLER",
    "VOICE_HANDLER",
    "SMS_ROUTER",
    "SSCC_ISSUER",
    "KEK_BACKEND",
    "PAYOUT_ADAPTER",
)


def _refuse(number: int, message: str, hint: str) -> Error:
    return Error(message, hint=hint, id=f"zhenbiao.E{number:03}")


@register(Tags.security)
def check_production(**_: Any) -> list[CheckMessage]:
    """Return what production lacks; see docs/operations/configuration.md. Where nothing is set at all, only that."""
    if settings.PRODUCTION and not settings.DATABASE_URL and not _secret_key():
        hint = "Give the PORT and VAR that `make run` was given; in production, see docs/operations/configuration.md."
        return [_refuse(13, f"Nothing is set, and there is no {settings.VAR_DIR / 'local.json'}.", hint)]
    return list(_production_faults()) if settings.PRODUCTION else []


def _production_faults() -> Iterator[Error]:
    if settings.DEBUG:
        yield _refuse(1, "DEBUG is on.", "It shows secrets on error pages: switch it off.")
    if len(_secret_key()) < SHORTEST_SECRET:
        yield _refuse(2, "SECRET_KEY is missing or short.", f"Set at least {SHORTEST_SECRET} random characters.")
    if not settings.SECURE:
        yield _refuse(
            3, "PUBLIC_BASE_URL is missing or not https.", "Set the address at which the outside reaches you."
        )
    for name in ("DATABASE_URL", "BROKER_URL", "CACHE_URL"):
        if not getattr(settings, name):
            yield _refuse(4, f"{name} is missing.", "Set the address of the server, with its password.")
    if app_role(settings.DATABASE_OWNER_URL) == app_role(settings.DATABASE_URL):
        yield _refuse(
            5,
            "DATABASE_URL and DATABASE_OWNER_URL name one role.",
            "The role that serves requests must not own the tables: make two.",
        )
    if settings.FAILURE_BUDGET_SCALE != 1:
        yield _refuse(6, "FAILURE_BUDGET_SCALE is not 1.", "Budgets protect the codes: unset it.")
    if settings.STAFF_MFA != "required":
        yield _refuse(7, "STAFF_MFA is not 'required'.", "Unset it: staff who write need a second factor.")
    try:
        kek_provider()
    except (ImproperlyConfigured, ValueError) as error:
        yield _refuse(8, f"There is no usable key-encryption key: {error}.", "Set KEK_FILE, KEK or KEK_BACKEND.")
    if settings.DRAW_BEACON != "quicknet":
        yield _refuse(11, "DRAW_BEACON is not 'quicknet'.", "Unset it: nobody need believe a private chain.")
    if settings.PAYOUT_ADAPTER == SIMULATED_PAYER:
        yield _refuse(12, "PAYOUT_ADAPTER is the simulator.", "It pays nobody: name your payer, or unset it.")


def _secret_key() -> str:
    try:
        return str(settings.SECRET_KEY)
    except ImproperlyConfigured:  # Django refuses to read an empty one
        return ""


@register(Tags.security)
def check_roles(**_: Any) -> list[CheckMessage]:
    """Warn where one database role does everything, outside production (there it is an error)."""
    if settings.PRODUCTION or not settings.DATABASE_URL:
        return []
    if app_role(settings.DATABASE_OWNER_URL) != app_role(settings.DATABASE_URL):
        return []
    return [
        Caution(
            "DATABASE_OWNER_URL is missing: the role that serves requests owns the tables.",
            hint="Set DATABASE_OWNER_URL to a role of its own.",
            id="zhenbiao.W001",
        )
    ]


@register()
def check_hooks(**_: Any) -> list[CheckMessage]:
    """Return the hooks of lower floors that name something which does not exist."""
    faults: list[CheckMessage] = []
    for name in HOOKS:
        named = getattr(settings, name, "")
        for path in [named] if isinstance(named, str) else named:
            try:
                if path:
                    import_string(path)
            except ImportError:
                hint = "Name a function by its path."
                faults.append(_refuse(9, f"{name} names {path}, which does not exist.", hint))
    return faults


@register(Tags.database)
def check_server(*, databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """Ask the server for what no test can reveal: whether it would lose what it acknowledged.

    An error in production, else a warning.
    """
    faults = []
    for alias in databases or []:
        try:
            faults += list(_server_faults(alias))
        except DatabaseError as error:
            faults.append(f"The database server does not answer ({type(error).__name__}).")
    hint = "See docs/operations/running.md, the database server."
    if settings.PRODUCTION:
        return [_refuse(10, fault, hint) for fault in faults]
    return [Caution(fault, hint=hint, id="zhenbiao.W010") for fault in faults]


def _server_faults(alias: str) -> Iterator[str]:
    with connections[alias].cursor() as cursor:
        cursor.execute("SELECT current_setting('server_version_num')::int")
        if cursor.fetchone()[0] < OLDEST_SERVER:
            yield "The database server is older than PostgreSQL 15."
        for name, wanted in SERVER_SETTINGS.items():
            cursor.execute("SELECT current_setting(%s)", [name])
            found = cursor.fetchone()[0]
            if found != wanted:
                yield f"The database server runs with {name} = {found}; it must be {wanted}."
        if settings.DB_ROLE == "owner":
            return
        cursor.execute(
            "SELECT rolsuper, has_database_privilege(current_database(), 'CREATE') FROM pg_roles"
            " WHERE rolname = current_user"
        )
        superuser, may_create = cursor.fetchone()
        if superuser or may_create:
            yield "The role of DATABASE_URL is a superuser or may create schemas; it must not."


def refuse_unsafe() -> None:
    """End this process, naming every fault, if it is a production process and anything is missing or unsafe."""
    if not settings.PRODUCTION:
        return
    faults = [fault for fault in run_checks(databases=["default"]) if fault.level >= ERROR]
    if faults:
        sys.exit("\n".join(f"{fault.id}: {fault.msg} {fault.hint or ''}" for fault in faults))
