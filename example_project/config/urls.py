"""The shop at the root, the app's token endpoint under `/neuroon/`, Django's admin."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("neuroon/", include("neuroon_django.urls")),
    path("", include("shop.urls")),
]
