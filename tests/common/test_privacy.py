from collections import Counter

import pytest
from django.apps import apps
from django.db import connection
from django.db.models import Model

from brands.models import Brand
from common.privacy import REGISTER, natures

MODELS = {model._meta.label: model for model in apps.get_models(include_auto_created=True)}


def columns(model: type[Model]) -> set[str]:
    return {field.name for field in model._meta.local_concrete_fields if field.column}


@pytest.mark.parametrize("label", sorted(MODELS))
def test_every_column_is_declared_once(label: str) -> None:
    """A new column fails here until common/privacy.py says whether it is personal, secret or open."""
    declared = Counter(" ".join(REGISTER[label]).split()) if label in REGISTER else Counter()

    assert declared == Counter(columns(MODELS[label]))


def test_nothing_is_declared_that_is_not_there() -> None:
    assert set(REGISTER) <= set(MODELS)


def test_encrypted_columns_and_blind_indexes_are_not_open() -> None:
    declared = {f"{label}.{name}": nature for label in REGISTER for name, nature in natures(label).items()}
    kept_apart = {name for name in declared if name.endswith(("_cipher", "_index", "password", "digest"))}
    kept_apart.remove("channel.Event.digest")  # the id that EPCIS gives an event, made of what it openly says

    assert "members.Member.phone_cipher" in kept_apart
    assert {name for name in kept_apart if declared[name] == "open"} == set()


def test_the_audit_trail_leaves_out_what_is_not_open(brand: Brand) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tgrelid::regclass::text, encode(tgargs, 'escape') FROM pg_trigger"
            " WHERE tgname = 'audited' AND tgrelid::regclass::text NOT LIKE '%.%'"
        )
        left_out = {table: set(text.split("\\000")[0].strip("{}").split(",")) for table, text in cursor.fetchall()}

    assert "channel_partner" in left_out
    for model in MODELS.values():
        table = model._meta.db_table
        if table in left_out:
            nature = natures(model._meta.label)
            kept_out = {model._meta.get_field(name).column for name in nature if nature[name] != "open"}
            assert kept_out <= left_out[table], table
