"""A file's log, photographs, questions and decisions are written once; a file makes only the moves that there are."""

from django.db import migrations

from common.db import AppendOnly, Audited

MOVES = (
    "new>watch new>field_check new>rejected new>explained watch>field_check watch>rejected watch>explained"
    " field_check>watch field_check>confirmed field_check>rejected field_check>explained confirmed>closed"
    " confirmed>field_check rejected>closed rejected>field_check explained>closed explained>field_check"
    " closed>field_check"
)

MOVE_FILE = """
CREATE OR REPLACE FUNCTION move_file() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    before text := CASE WHEN TG_OP = 'INSERT' THEN NULL ELSE OLD.state END;
BEGIN
    IF before IS NULL AND NEW.state <> 'new' THEN
        RAISE EXCEPTION 'a file begins as new' USING ERRCODE = 'check_violation';
    END IF;
    IF before <> NEW.state AND NOT (before || '>' || NEW.state) = ANY (string_to_array(TG_ARGV[0], ' ')) THEN
        RAISE EXCEPTION 'a file does not move from % to %', before, NEW.state USING ERRCODE = 'check_violation';
    END IF;
    IF before <> NEW.state AND NEW.state IN ('confirmed', 'rejected', 'explained') AND NOT EXISTS (
        SELECT FROM analytics_casedecision d WHERE d.case_id = NEW.id AND d.decision = NEW.state
           AND NOT EXISTS (SELECT FROM analytics_appeal a WHERE a.decision_id = d.id)
    ) THEN
        RAISE EXCEPTION 'a file is % by a decision', NEW.state USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$
"""

# Columns of the first list may be blanked, those of the second filled in once; nothing else changes.
KEEP_EVIDENCE = """
CREATE OR REPLACE FUNCTION keep_evidence() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    name text;
    was jsonb := to_jsonb(OLD);
    is_now jsonb := to_jsonb(NEW);
BEGIN
    FOR name IN SELECT jsonb_object_keys(was) LOOP
        IF was ->> name IS DISTINCT FROM is_now ->> name
           AND NOT (name = ANY (TG_ARGV[0]::text[]) AND is_now ->> name IS NULL)
           AND NOT (name = ANY (TG_ARGV[1]::text[]) AND was ->> name IS NULL) THEN
            RAISE EXCEPTION '%.% is evidence: write a new row instead', TG_TABLE_NAME, name
                USING ERRCODE = 'restrict_violation';
        END IF;
    END LOOP;
    RETURN NEW;
END $$
"""


def function(text: str, name: str) -> migrations.RunSQL:
    return migrations.RunSQL(text, f"DROP FUNCTION {name}()")


def trigger(name: str, table: str, event: str, call: str) -> migrations.RunSQL:
    return migrations.RunSQL(
        f"CREATE TRIGGER {name} BEFORE {event} ON {table} FOR EACH ROW EXECUTE FUNCTION {call}",
        f"DROP TRIGGER {name} ON {table}",
    )


def kept(table: str, blanked: str = "", filled: str = "") -> list:
    """Refuse to delete rows, and to change more than these columns."""
    columns = tuple(f"{blanked},{filled}".strip(",").split(","))
    return [
        AppendOnly(table, updatable=columns),
        trigger("evidence_stays", table, "UPDATE", f"keep_evidence('{{{blanked}}}', '{{{filled}}}')"),
    ]


class Migration(migrations.Migration):
    dependencies = [("analytics", "0006_cases"), ("staff", "0002_guards")]

    operations = [
        function(MOVE_FILE, "move_file"),
        function(KEEP_EVIDENCE, "keep_evidence"),
        AppendOnly("analytics_case", updatable=("state", "assignee_id", "due_on", "moved_at")),
        trigger("files_move_by_the_table", "analytics_case", "INSERT OR UPDATE", f"move_file('{MOVES}')"),
        Audited("analytics_case"),
        AppendOnly("analytics_caseentry"),
        AppendOnly("analytics_caseanswer"),
        AppendOnly("analytics_casedecision"),
        AppendOnly("analytics_appeal"),
        *kept("analytics_casequestion", filled="answered_at"),
        *kept("analytics_casephoto", blanked="lat,lon,accuracy_m"),
        *kept("analytics_fieldcheck", blanked="lat,lon,accuracy_m"),
        trigger("content_stays", "analytics_casephotocontent", "UPDATE", "refuse_change()"),
    ]
