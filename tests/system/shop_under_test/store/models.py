"""A product."""

from django.db import models


class Product(models.Model):
    sku = models.CharField(max_length=20)
    name = models.CharField(max_length=50)
    price = models.DecimalField(max_digits=8, decimal_places=2, default=1)

    def __str__(self) -> str:
        return self.sku

    def get_absolute_url(self) -> str:
        return f"/p/{self.pk}/"
