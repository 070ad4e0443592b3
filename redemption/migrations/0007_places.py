from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('redemption', '0006_routes_cautions'),
    ]

    operations = [
        migrations.AddField(
            model_name='scanplace',
            name='consent',
            field=models.CharField(blank=True, db_default='', default='', max_length=12, verbose_name='consent'),
        ),
        migrations.AddField(
            model_name='scanplace',
            name='datum',
            field=models.CharField(blank=True, choices=[('wgs84', 'WGS 84'), ('gcj02', 'GCJ-02')], db_default='', default='', max_length=5),
        ),
        migrations.AlterField(
            model_name='scanplace',
            name='source',
            field=models.CharField(choices=[('gps', 'device'), ('ip', 'address'), ('phone', 'number')], max_length=5, verbose_name='source'),
        ),
        migrations.AddConstraint(
            model_name='scanplace',
            constraint=models.CheckConstraint(condition=models.Q(('source', 'gps'), models.Q(('lat', None), ('lon', None)), _connector='OR'), name='only_a_device_gives_a_point'),
        ),
    ]
