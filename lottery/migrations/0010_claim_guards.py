"""A code goes to one claim and a payment keeps its key, whoever writes; a second-chance draw learns its prizes once."""

from django.db import migrations

from common.db import Audited

FREE = "state,round,root,root_json,root_signature,excluded,seed,result,listed_at,published_at"
RULES = "rules,rules_hash,rules_signature,prizes,rules_key,rules_at"
# The prizes of a second-chance draw are counted when its entries are listed; until then there are none.
LEARNS = "OLD.prizes IS NULL AND NEW.prizes IS NOT NULL AND OLD.root IS NULL AND NEW.root IS NOT NULL"


def kept(table: str, columns: str) -> migrations.RunSQL:
    return migrations.RunSQL(
        f"CREATE TRIGGER filled_once BEFORE UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION keep_filled('{{{columns}}}')",
        f"DROP TRIGGER filled_once ON {table}",
    )


def published(name: str, event: str, free: str, when: str = "") -> migrations.RunSQL:
    condition = f" WHEN ({when})" if when else ""
    return migrations.RunSQL(
        f"CREATE TRIGGER {name} BEFORE {event} ON lottery_draw FOR EACH ROW{condition} EXECUTE"
        f" FUNCTION keep_published('campaign_id', '{{{free}}}', '{{{RULES}}}', '{{}}')",
        f"DROP TRIGGER {name} ON lottery_draw",
    )


class Migration(migrations.Migration):
    dependencies = [("lottery", "0009_claims"), ("staff", "0002_guards")]

    operations = [
        kept("lottery_vouchercode", "tier_id,cipher,index,claim_id,taken_at"),
        kept("lottery_payout", "claim_id,key,amount,currency,paid_at"),
        Audited("lottery_payout"),
        Audited("lottery_claimdocument", leave_out=("cipher",)),
        migrations.RunSQL(
            "DROP TRIGGER published_draw ON lottery_draw",
            "CREATE TRIGGER published_draw BEFORE INSERT OR UPDATE OR DELETE ON lottery_draw FOR EACH ROW EXECUTE"
            f" FUNCTION keep_published('campaign_id', '{{{FREE}}}', '{{{RULES}}}', '{{}}')",
        ),
        published("published_draw", "INSERT OR DELETE", FREE),
        published("published_draw_stays", "UPDATE", FREE, f"NOT ({LEARNS})"),
        published("published_draw_learns", "UPDATE", f"{FREE},prizes", LEARNS),
    ]
