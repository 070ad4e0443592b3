from django.db import migrations

from common.db import AppendOnly


class Migration(migrations.Migration):
    dependencies = [("members", "0001_initial")]

    operations = [AppendOnly("members_consent"), AppendOnly("members_erasure")]
