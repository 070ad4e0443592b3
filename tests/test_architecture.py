"""The floors hold for foreign keys too, every brand's schema has everything, and the application's role owns nothing."""

import tomllib
from collections.abc import Iterable, Iterator
from typing import Any

import psycopg
import pytest
from django.apps import apps
from django.conf import settings
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.models import Model, UniqueConstraint
from django.db.models.fields.related import RelatedField

from brands.models import Brand
from common.db import AppendOnly, Audited, app_role
from tests.environment import BRAND, CLUSTER, ROOT, STRANGER, embedded

BOTH_SHARED_AND_PER_BRAND = {
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "staff",
}


# --- floors --------------------------------------------------------------------------------------------------------


def floors() -> dict[str, int]:
    """Return each app's floor, the ground being 0, from the layers that import-linter reads."""
    text = (ROOT / "pyproject.toml").read_text()
    contracts = tomllib.loads(text)["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    return {
        app.strip(): floor for floor, layer in enumerate(reversed(layers)) for app in layer.replace(":", "|").split("|")
    }


def foreign_keys() -> Iterator[tuple[str, str, str]]:
    """Yield (app, app it points at, name) of every relation between our own models."""
    for model in apps.get_models(include_auto_created=True):
        for field in model._meta.get_fields():
            if isinstance(field, RelatedField) and isinstance(field.related_model, type):
                yield model._meta.app_label, field.related_model._meta.app_label, f"{model.__name__}.{field.name}"


def pointing_up(keys: Iterable[tuple[str, str, str]], floor: dict[str, int]) -> list[str]:
    return [
        f"{source}.{name} points at {target}"
        for source, target, name in keys
        if source in floor and target in floor and source != target and floor[target] >= floor[source]
    ]


def test_foreign_keys_point_down_only() -> None:
    keys, floor = list(foreign_keys()), floors()

    assert {"labels", "ledger", "members", "staff"} <= {source for source, _target, _name in keys}
    assert pointing_up(keys, floor) == []


def test_a_key_up_or_sideways_is_found() -> None:
    floor = floors()
    assert pointing_up([("members", "ledger", "Member.account")], floor) == []
    assert pointing_up([("ledger", "members", "Account.member")], floor) != []
    assert pointing_up([("labels", "ledger", "Batch.account")], floor) != []


def test_every_app_of_ours_has_a_floor() -> None:
    ours = {app for app in settings.INSTALLED_APPS if (ROOT / app).is_dir()}
    assert ours <= set(floors())


def test_few_apps_are_both_shared_and_per_brand() -> None:
    both = set(settings.SHARED_APPS) & set(settings.TENANT_APPS)
    with_tables = {app for app in both if apps.get_app_config(app.rpartition(".")[2]).get_models()}
    assert with_tables <= BOTH_SHARED_AND_PER_BRAND


# --- every schema has everything ------------------------------------------------------------------------------------

CATALOGUE = {
    "constraints": """
        SELECT c.relname, k.conname, replace(pg_get_constraintdef(k.oid), %(schema)s || '.', '')
        FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
        WHERE k.connamespace = %(schema)s::regnamespace""",
    "indexes": """
        SELECT tablename, indexname, replace(indexdef, %(schema)s || '.', '') FROM pg_indexes
        WHERE schemaname = %(schema)s""",
    "triggers": """
        SELECT c.relname, t.tgname, replace(pg_get_triggerdef(t.oid), %(schema)s || '.', ''), t.tgenabled
        FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
        WHERE c.relnamespace = %(schema)s::regnamespace AND NOT t.tgisinternal""",
    "functions": "SELECT proname, prosrc FROM pg_proc WHERE pronamespace = %(schema)s::regnamespace",
    "grants": """
        SELECT c.relname, c.relkind::text, a.grantee::regrole::text, a.privilege_type
        FROM pg_class c, aclexplode(c.relacl) a WHERE c.relnamespace = %(schema)s::regnamespace""",
    "columns": """
        SELECT table_name, column_name, data_type, is_nullable, replace(column_default, %(schema)s || '.', '')
        FROM information_schema.columns WHERE table_schema = %(schema)s""",
    "column grants": """
        SELECT c.relname, a.attname, g.privilege_type FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid,
        aclexplode(a.attacl) g WHERE c.relnamespace = %(schema)s::regnamespace""",
}


def catalogue(schema: str, what: str) -> set[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(CATALOGUE[what], {"schema": schema})
        return set(cursor.fetchall())


@pytest.mark.parametrize("what", [name for name in CATALOGUE if name != "column grants"])
def test_two_brands_have_the_same(what: str, db: None) -> None:
    first, second = catalogue(BRAND, what), catalogue(STRANGER, what)

    assert len(first) > 1
    assert first == second


def test_two_brands_have_the_same_column_grants(db: None) -> None:
    assert catalogue(BRAND, "column grants") == catalogue(STRANGER, "column grants")


def guards() -> list[AppendOnly | Audited]:
    """Return the guarding operations of all migrations of apps that brands have."""
    graph = MigrationLoader(None, ignore_no_migrations=True)
    brand_apps = {app.rpartition(".")[2] for app in settings.TENANT_APPS}
    return [
        operation
        for (app, _name), migration in graph.disk_migrations.items()
        if app in brand_apps
        for operation in migration.operations
        if isinstance(operation, AppendOnly | Audited)
    ]


@pytest.mark.parametrize("schema", [BRAND, STRANGER])
def test_every_guard_stands_in_every_schema(schema: str, db: None) -> None:
    found = {(table, name) for table, name, *_ in catalogue(schema, "triggers")}
    wanted = set()
    for guard in guards():
        names = {"audited"} if isinstance(guard, Audited) else {"append_only_rows", "append_only_table"}
        wanted |= {(guard.table, name) for name in names}

    assert ("ledger_transfer", "append_only_rows") in wanted
    assert ("staff_audit", "append_only_rows") in wanted
    assert wanted <= found


@pytest.mark.parametrize("schema", [BRAND, STRANGER])
def test_the_application_may_only_add_to_what_is_append_only(schema: str, db: None) -> None:
    grants = catalogue(schema, "grants")
    role = app_role(settings.DATABASE_URL)
    assert (*("members_member", "r", role), "UPDATE") in grants
    for table in {guard.table for guard in guards() if isinstance(guard, AppendOnly)}:
        allowed = {privilege for name, _kind, grantee, privilege in grants if (name, grantee) == (table, role)}
        assert allowed == {"SELECT", "INSERT"}, table


def models_of_brands() -> Iterator[type[Model]]:
    for model in apps.get_models():
        if model._meta.app_config.name in settings.TENANT_APPS and (ROOT / model._meta.app_label).is_dir():
            yield model


@pytest.mark.parametrize("schema", [BRAND, STRANGER])
def test_every_named_constraint_and_index_of_the_models_exists(schema: str, db: None) -> None:
    there = {name for _table, name, *_ in catalogue(schema, "constraints") | catalogue(schema, "indexes")}
    for model in models_of_brands():
        for rule in [*model._meta.constraints, *model._meta.indexes]:
            assert rule.name in there, f"{model.__name__}: {rule.name}"


def test_constraint_names_are_sentences() -> None:
    for model in models_of_brands():
        for rule in model._meta.constraints:
            assert "_" in rule.name, f"{model.__name__}: {rule.name}"
            assert not rule.name.endswith(("_uniq", "_check")), f"{model.__name__}: {rule.name}"
            assert isinstance(rule, UniqueConstraint) or rule.name.count("_") >= 2, f"{model.__name__}: {rule.name}"


def test_foreign_keys_never_leave_a_brands_schema(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT conname, connamespace::regnamespace::text, c.relnamespace::regnamespace::text"
            " FROM pg_constraint k JOIN pg_class c ON c.oid = k.confrelid WHERE contype = 'f'"
        )
        rows = cursor.fetchall()
    assert {BRAND, STRANGER, "public"} <= {schema for _name, schema, _other in rows}
    assert [name for name, schema, other in rows if schema != other] == []


# --- the application's role owns nothing ----------------------------------------------------------------------------

DDL = {
    "make a table": "CREATE TABLE {schema}.mine (id int)",
    "make a schema": "CREATE SCHEMA mine",
    "make a function": "CREATE FUNCTION {schema}.mine() RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN 1; END'",
    "alter a table": "ALTER TABLE {schema}.ledger_transfer ADD COLUMN mine int",
    "drop a constraint": "ALTER TABLE {schema}.ledger_account DROP CONSTRAINT account_keeps_its_floor",
    "drop a table": "DROP TABLE {schema}.ledger_lotuse",
    "switch a trigger off": "ALTER TABLE {schema}.ledger_transfer DISABLE TRIGGER append_only_rows",
    "drop a trigger": "DROP TRIGGER append_only_rows ON {schema}.ledger_transfer",
    "pass by triggers": "SET session_replication_role = replica",
    "empty a table": "TRUNCATE {schema}.members_consent",
    "change what is append-only": "UPDATE {schema}.ledger_transfer SET amount = 1",
    "delete what is append-only": "DELETE FROM {schema}.staff_audit",
    "become the owner": "SET ROLE " + embedded.OWNER_ROLE,
    "drop a schema": "DROP SCHEMA {schema} CASCADE",
}


def refused(role: str, statement: str) -> bool:
    with psycopg.connect(CLUSTER.url(role)) as session:
        try:
            session.execute(statement.format(schema=BRAND))
        except psycopg.errors.InsufficientPrivilege:
            return True
        finally:
            session.rollback()
    return False


@pytest.mark.parametrize("act", DDL)
def test_the_application_may_not(act: str, db: None) -> None:
    assert not refused(embedded.APP_ROLE, "SELECT count(*) FROM {schema}.ledger_transfer")
    assert refused(embedded.APP_ROLE, DDL[act])


@pytest.mark.parametrize("act", ["make a table", "make a schema", "alter a table", "switch a trigger off"])
def test_what_the_application_may_not_the_owner_may(act: str, db: None) -> None:
    assert not refused(embedded.OWNER_ROLE, DDL[act])


def test_the_platforms_schema_holds_no_business(db: None) -> None:
    assert Brand.objects.filter(schema_name__in=[BRAND, STRANGER]).count() == 2
    public = {table for table, *_ in catalogue("public", "columns")}
    business = {model._meta.db_table for model in models_of_brands() if model._meta.app_label != "staff"}
    assert business
    assert public & business == set()
