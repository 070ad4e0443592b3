from django.db import migrations

PART_PRICE = 50_000
LIMITS = {"number": 2_000_000, "prefix": 20_000_000, "country": 2_000_000_000, "brand": 2_000_000_000}


def set_usual_limits(apps, schema_editor):
    """Write to China alone, within limits that stop a pump of messages and meet no usual day."""
    apps.get_model("sms_gateway", "CountryRate").objects.create(region="CN", part_price=PART_PRICE)
    budget = apps.get_model("sms_gateway", "SpendingBudget")
    for subject, per_day in LIMITS.items():
        budget.objects.create(subject=subject, per_day=per_day)


def remove_usual_limits(apps, schema_editor):
    apps.get_model("sms_gateway", "CountryRate").objects.all().delete()
    apps.get_model("sms_gateway", "SpendingBudget").objects.all().delete()


class Migration(migrations.Migration):
    dependencies = [("sms_gateway", "0003_guards")]

    operations = [migrations.RunPython(set_usual_limits, remove_usual_limits)]
