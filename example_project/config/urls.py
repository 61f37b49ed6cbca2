"""The shop at the root, the app's token endpoint under `/neuroon/`, Django's admin."""

from django.conf import settings
from django.conf.urls.i18n import i18n_patterns
from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("neuroon/", include("neuroon_django.urls")),
]
storefront = path("", include("shop.urls"))
# With a shop at Neuroon for each language, every page has the language in its address.
urlpatterns += i18n_patterns(storefront) if settings.NEUROON_SHOPS else [storefront]
