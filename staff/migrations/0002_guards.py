from django.db import migrations

from common.db import AppendOnly, Audited


class Migration(migrations.Migration):
    dependencies = [("staff", "0001_initial")]

    operations = [
        AppendOnly("staff_audit"),
        Audited("staff_user", leave_out=("password", "email", "first_name", "last_name", "last_login", "failures")),
        Audited("staff_apikey", leave_out=("digest", "last_used_at")),
        Audited("staff_brandkey", leave_out=("blob",)),
        Audited("staff_approval"),
    ]
