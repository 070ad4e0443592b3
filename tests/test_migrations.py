"""django-migration-linter over every migration: what would stop old code that still runs beside the new schema.

Its own command writes migrations for the public schema, where the apps of brands make no SQL. Here each is written for
a schema in which it runs, and the state of the models is carried from one to the next.
"""

from collections.abc import Iterator
from functools import cache

import pytest
from django.conf import settings
from django.db import connection, migrations, models
from django.db.migrations import Migration
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState
from django_migration_linter.migration_linter import MigrationLinter
from django_migration_linter.sql_analyser import PostgresqlAnalyser, analyse_sql_statements
from django_tenants.utils import schema_context

from brands.models import Brand
from tests.environment import BRAND

OURS = {app for app in [*settings.SHARED_APPS, *settings.TENANT_APPS] if "." not in app}
SHARED_ALONE = set(settings.SHARED_APPS) - set(settings.TENANT_APPS)
# The last migration of each app before the first release. Up to there every brand begins empty and no old code runs
# beside the new schema, so that the linter's findings say nothing; each later one is clean or has its reason below.
BASELINE = {
    "analytics": "0005_touched",
    "brands": "0005_gs1_prefix",
    "channel": "0002_audit",
    "common": "0003_job_resumed",
    "labels": "0005_manifest",
    "ledger": "0006_seal_guards",
    "lottery": "0007_entries_by_account",
    "members": "0002_guards",
    "printing": "0004_outputs_and_proof",
    "redemption": "0005_words_and_voice",
    "sms_gateway": "0005_no_reservation",
    "staff": "0004_kinds_of_keys",
}
NOT_ASKED = {
    "RUNPYTHON_MODEL_VARIABLE_NAME",  # a variable of one line is named as everywhere else in the code
}
# (app, migration, code of the finding): why it stands.
EXCEPTIONS: dict[tuple[str, str, str], str] = {
    ("lottery", "0014_plays_by_scan", "ALTER_COLUMN"): "plays are numbered by their scans; no release has them",
    ("lottery", "0014_plays_by_scan", "CREATE_INDEX"): "an index of block ranges reads the table once",
    ("lottery", "0014_plays_by_scan", "CREATE_INDEX_EXCLUSIVE"): "as above",
    ("lottery", "0014_plays_by_scan", "DROP_INDEX"): "no release has the table",
    ("channel", "0003_goods", "ADD_UNIQUE"): "the tables are new and empty",
    ("channel", "0003_goods", "CREATE_INDEX"): "the tables are new and empty; of partners there are few",
    ("channel", "0003_goods", "CREATE_INDEX_EXCLUSIVE"): "as above",
    ("channel", "0003_goods", "ALTER_COLUMN"): "a kind of partner may be longer: no row is written anew",
    ("redemption", "0011_request_key", "DROP_COLUMN"): "nothing reads the number of a request; no release has it",
    ("redemption", "0009_place_key", "DROP_COLUMN"): "nothing reads the number of a place; no release has it",
    ("channel", "0007_told_events", "ADD_UNIQUE"): "a new column, and product lines, which are few",
    ("channel", "0007_told_events", "CREATE_INDEX"): "there are few documents and events before the first release",
    ("channel", "0007_told_events", "CREATE_INDEX_EXCLUSIVE"): "as above",
}


@cache
def linter() -> MigrationLinter:
    return MigrationLinter(no_cache=True, no_output=True, exclude_migration_tests=NOT_ASKED)


def lint(migration: Migration, state: ProjectState) -> tuple[set[str], ProjectState]:
    """Return the codes of the linter's findings, and the state after the migration. Nothing is executed."""
    schema = "public" if migration.app_label in SHARED_ALONE else BRAND
    with schema_context(schema), connection.schema_editor(collect_sql=True, atomic=migration.atomic) as editor:
        after = migration.apply(state, editor, collect_sql=True)
    lines = [line for text in editor.collected_sql for line in text.splitlines()]
    if migration.atomic:
        lines = ["BEGIN;", *lines, "COMMIT;"]
    errors, _ignored, warnings = analyse_sql_statements(PostgresqlAnalyser, lines, NOT_ASKED)
    in_code, _ignored, in_style = linter().analyse_data_migration(migration)
    return {issue.code for issue in [*errors, *warnings, *in_code, *in_style]}, after


def findings() -> Iterator[tuple[str, str, str]]:
    """Yield (app, migration, code) for all of ours, in the order in which they run."""
    graph = MigrationLoader(None).graph
    state = ProjectState()
    for app, name in graph._generate_plan(graph.leaf_nodes(), at_end=True):
        migration = graph.nodes[app, name]
        if app in OURS:
            found, state = lint(migration, state)
            yield from ((app, name, code) for code in sorted(found))
        else:
            state = migration.mutate_state(state, preserve=False)


def test_each_migration_leaves_running_code_alone_or_says_why(brand: Brand) -> None:
    found = list(findings())

    assert ("sms_gateway", "0005_no_reservation", "DROP_COLUMN") in found, "the linter sees nothing"
    assert ("brands", "0004_unrouted_answered", "NOT_NULL") in found, "nor in the public schema"
    assert {finding for finding in found if finding[1] > BASELINE.get(finding[0], "")} == set(EXCEPTIONS)


@pytest.mark.parametrize(
    ("operation", "code"),
    [
        (migrations.AddField("product", "shelf", models.IntegerField(default=0)), "NOT_NULL"),
        (migrations.RemoveField("product", "name_zh"), "DROP_COLUMN"),
        (migrations.RenameField("product", "name_zh", "name_cn"), "RENAME_COLUMN"),
        (migrations.AddIndex("product", models.Index(fields=["name"], name="by_name")), "CREATE_INDEX"),
    ],
)
def test_a_migration_that_breaks_running_code_is_found(brand: Brand, operation: Operation, code: str) -> None:
    graph = MigrationLoader(None).graph
    planted = Migration("planted", "labels")
    planted.operations = [operation]

    found, _state = lint(planted, graph.make_state(graph.leaf_nodes()))

    assert code in found
