"""The table."""

from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True
    dependencies = []
    operations = [
        migrations.CreateModel(
            "Product",
            [
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("sku", models.CharField(max_length=20)),
                ("name", models.CharField(max_length=50)),
                ("price", models.DecimalField(max_digits=8, decimal_places=2, default=1)),
            ],
        )
    ]
