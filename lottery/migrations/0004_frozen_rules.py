"""What was published stays: even the owner's SQL cannot change it, but by writing a new version of the rules."""

from django.db import migrations

from common.db import AppendOnly, Audited

# Arguments: the column that names the campaign; the columns that stay free; those that a new version of the rules,
# written in the same transaction, may change; those that it may only raise.
KEEP_PUBLISHED = """
CREATE OR REPLACE FUNCTION keep_published() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    before_row jsonb := CASE WHEN TG_OP = 'INSERT' THEN NULL ELSE to_jsonb(OLD) END;
    after_row jsonb := CASE WHEN TG_OP = 'DELETE' THEN NULL ELSE to_jsonb(NEW) END;
    owner bigint := (coalesce(before_row, after_row) ->> TG_ARGV[0])::bigint;
    raised text;
    renewed boolean;
BEGIN
    IF NOT EXISTS (SELECT FROM lottery_rulesversion WHERE campaign_id = owner) THEN
        RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
    END IF;
    IF TG_OP = 'UPDATE' THEN
        renewed := EXISTS (
            SELECT FROM lottery_rulesversion WHERE campaign_id = owner AND n > 1 AND xact = pg_current_xact_id());
        before_row := before_row - TG_ARGV[1]::text[];
        after_row := after_row - TG_ARGV[1]::text[];
        IF renewed THEN
            before_row := before_row - TG_ARGV[2]::text[];
            after_row := after_row - TG_ARGV[2]::text[];
            FOREACH raised IN ARRAY TG_ARGV[3]::text[] LOOP
                IF (after_row ->> raised)::bigint >= (before_row ->> raised)::bigint THEN
                    before_row := before_row - raised;
                    after_row := after_row - raised;
                END IF;
            END LOOP;
        END IF;
        IF before_row = after_row THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION '% holds published rules: they do not change', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$
"""

KEEP_ARMED = """
CREATE OR REPLACE FUNCTION keep_armed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM lottery_commitment WHERE campaign_id = OLD.campaign_id AND kind = 2) THEN
        RAISE EXCEPTION 'an armed pool does not change' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$
"""

# Arguments: the columns that are filled in once.
KEEP_FILLED = """
CREATE OR REPLACE FUNCTION keep_filled() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    once text;
BEGIN
    FOREACH once IN ARRAY TG_ARGV[0]::text[] LOOP
        IF to_jsonb(OLD) ->> once IS NOT NULL AND to_jsonb(OLD) ->> once IS DISTINCT FROM to_jsonb(NEW) ->> once THEN
            RAISE EXCEPTION '%.% is filled in once', TG_TABLE_NAME, once USING ERRCODE = 'restrict_violation';
        END IF;
    END LOOP;
    RETURN NEW;
END $$
"""

KEEP_LISTED = """
CREATE OR REPLACE FUNCTION keep_listed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'an entry is voided, never deleted' USING ERRCODE = 'restrict_violation';
    END IF;
    IF EXISTS (SELECT FROM lottery_draw WHERE id = NEW.draw_id AND root IS NOT NULL) THEN
        RAISE EXCEPTION 'the entries of this draw are listed: they do not change' USING ERRCODE = 'restrict_violation';
    END IF;
    IF TG_OP = 'UPDATE' AND to_jsonb(OLD) - '{state,void_reason,voided_at,account_id}'::text[]
            <> to_jsonb(NEW) - '{state,void_reason,voided_at,account_id}'::text[] THEN
        RAISE EXCEPTION 'an entry is voided, never changed' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$
"""


def function(sql: str, name: str) -> migrations.RunSQL:
    return migrations.RunSQL(sql, f"DROP FUNCTION {name}()")


def trigger(name: str, table: str, event: str, call: str, when: str = "") -> migrations.RunSQL:
    condition = f" WHEN ({when})" if when else ""
    return migrations.RunSQL(
        f"CREATE TRIGGER {name} BEFORE {event} ON {table} FOR EACH ROW{condition} EXECUTE FUNCTION {call}",
        f"DROP TRIGGER {name} ON {table}",
    )


def published(table: str, campaign: str, free: str = "", wording: str = "", raised: str = "") -> str:
    return f"keep_published('{campaign}', '{{{free}}}', '{{{wording}}}', '{{{raised}}}')"


ANY = "INSERT OR UPDATE OR DELETE"
FILLED = "root,root_json,root_signature,excluded,seed,result,listed_at,published_at"


class Migration(migrations.Migration):
    dependencies = [("lottery", "0003_games_and_draws"), ("staff", "0002_guards")]

    operations = [
        AppendOnly("lottery_rulesversion"),
        AppendOnly("lottery_signoff"),
        AppendOnly("lottery_commitment"),
        AppendOnly("lottery_play"),
        AppendOnly("lottery_pick"),
        AppendOnly("lottery_bundle"),
        AppendOnly("lottery_beaconvalue"),
        AppendOnly("lottery_typedvalue"),
        AppendOnly("lottery_freeentry"),
        AppendOnly("lottery_claimmove"),
        function(KEEP_PUBLISHED, "keep_published"),
        function(KEEP_ARMED, "keep_armed"),
        function(KEEP_FILLED, "keep_filled"),
        function(KEEP_LISTED, "keep_listed"),
        trigger(
            "published_campaign", "lottery_campaign", "UPDATE OR DELETE",
            published("lottery_campaign", "id", "state,ended_at,halt_reason,published_at", "name,name_zh,terms"),
        ),
        trigger("published_award", "lottery_award", ANY, published("lottery_award", "campaign_id")),
        trigger(
            "published_instant_prize", "lottery_prizetier", "UPDATE OR DELETE",
            published("lottery_prizetier", "campaign_id", "", "name,name_zh", "claim_days"), "OLD.use = 'instant'",
        ),
        trigger(
            "published_draw_prize", "lottery_prizetier", "UPDATE OR DELETE",
            published("lottery_prizetier", "campaign_id", "", "name,name_zh", "claim_days,quantity"), "OLD.use = 'draw'",
        ),
        trigger("published_prizes", "lottery_prizetier", "INSERT", published("lottery_prizetier", "campaign_id")),
        trigger(
            "published_pool", "lottery_pool", ANY,
            published(
                "lottery_pool", "campaign_id", "thresholds,eligible,excluded,ranges_salt,excluded_salt,manifest_roots"
            ),
        ),
        trigger("armed_pool", "lottery_pool", "UPDATE", "keep_armed()"),
        trigger("published_pool_range", "lottery_poolrange", ANY, published("lottery_poolrange", "campaign_id")),
        trigger(
            "published_draw", "lottery_draw", ANY,
            published(
                "lottery_draw", "campaign_id", f"state,round,{FILLED}", "rules,rules_hash,rules_signature,prizes"
            ),
        ),
        trigger("filled_draw", "lottery_draw", "UPDATE", f"keep_filled('{{{FILLED}}}')"),
        trigger("listed_entry", "lottery_entry", ANY, "keep_listed()"),
        Audited("lottery_prizetier"),
        Audited("lottery_pool", leave_out=("ranges_salt", "excluded_salt", "thresholds", "ranges", "excluded")),
        Audited("lottery_exclusion", leave_out=("index",)),
        Audited("lottery_claim"),
    ]
