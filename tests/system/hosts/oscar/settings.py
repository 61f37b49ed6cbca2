"""A shop as oscar's own documentation sets one up, and this app in it."""

import os
from pathlib import Path

import environ
from oscar.defaults import *  # noqa: F403

STATE = Path(os.environ["STATE_DIR"])
SECRET_KEY = "oscar"
ALLOWED_HOSTS = ["testserver"]
SITE_ID = 1
DATABASES = {"default": environ.Env().db("DATABASE_URL")}
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
INSTALLED_APPS = [
    *("django.contrib.admin", "django.contrib.auth", "django.contrib.contenttypes"),
    *("django.contrib.sessions", "django.contrib.messages", "django.contrib.staticfiles"),
    *("django.contrib.sites", "django.contrib.flatpages"),
    *("oscar.config.Shop", "oscar.apps.analytics.apps.AnalyticsConfig"),
    *("oscar.apps.checkout.apps.CheckoutConfig", "oscar.apps.address.apps.AddressConfig"),
    *("oscar.apps.shipping.apps.ShippingConfig", "oscar.apps.catalogue.apps.CatalogueConfig"),
    "oscar.apps.catalogue.reviews.apps.CatalogueReviewsConfig",
    "oscar.apps.communication.apps.CommunicationConfig",
    *("oscar.apps.partner.apps.PartnerConfig", "oscar.apps.basket.apps.BasketConfig"),
    *("oscar.apps.payment.apps.PaymentConfig", "oscar.apps.offer.apps.OfferConfig"),
    *("oscar.apps.order.apps.OrderConfig", "oscar.apps.customer.apps.CustomerConfig"),
    *("oscar.apps.search.apps.SearchConfig", "oscar.apps.voucher.apps.VoucherConfig"),
    *("oscar.apps.wishlists.apps.WishlistsConfig", "oscar.apps.dashboard.apps.DashboardConfig"),
    "oscar.apps.dashboard.reports.apps.ReportsDashboardConfig",
    "oscar.apps.dashboard.users.apps.UsersDashboardConfig",
    "oscar.apps.dashboard.orders.apps.OrdersDashboardConfig",
    "oscar.apps.dashboard.catalogue.apps.CatalogueDashboardConfig",
    "oscar.apps.dashboard.offers.apps.OffersDashboardConfig",
    "oscar.apps.dashboard.partners.apps.PartnersDashboardConfig",
    "oscar.apps.dashboard.pages.apps.PagesDashboardConfig",
    "oscar.apps.dashboard.ranges.apps.RangesDashboardConfig",
    "oscar.apps.dashboard.reviews.apps.ReviewsDashboardConfig",
    "oscar.apps.dashboard.vouchers.apps.VouchersDashboardConfig",
    "oscar.apps.dashboard.communications.apps.CommunicationsDashboardConfig",
    "oscar.apps.dashboard.shipping.apps.ShippingDashboardConfig",
    *("widget_tweaks", "haystack", "treebeard", "sorl.thumbnail", "django_tables2"),
    *("neuroon_django", "store"),
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "oscar.apps.basket.middleware.BasketMiddleware",
    "neuroon_django.middleware.ClickAttributionMiddleware",
]
AUTHENTICATION_BACKENDS = ["oscar.apps.customer.auth_backends.EmailBackend"]
HAYSTACK_CONNECTIONS = {"default": {"ENGINE": "haystack.backends.simple_backend.SimpleEngine"}}
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.template.context_processors.i18n",
                "django.contrib.messages.context_processors.messages",
                "oscar.apps.search.context_processors.search_form",
                "oscar.apps.checkout.context_processors.checkout",
                "oscar.apps.communication.notifications.context_processors.notifications",
                "oscar.core.context_processors.metadata",
            ]
        },
    }
]
ROOT_URLCONF = "urls"
LANGUAGE_CODE = "en-gb"
USE_TZ = True
STATIC_URL, MEDIA_URL = "/static/", "/media/"
STATIC_ROOT, MEDIA_ROOT = STATE / "static", STATE / "media"
EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"

OSCAR_DEFAULT_CURRENCY = "GBP"
OSCAR_ALLOW_ANON_CHECKOUT = True
OSCAR_INITIAL_ORDER_STATUS = OSCAR_INITIAL_LINE_STATUS = "Pending"
OSCAR_ORDER_STATUS_PIPELINE = {"Pending": ("Being processed", "Cancelled"), "Being processed": ()}

CELERY_BROKER_URL = ""
NEUROON_SHOP_ID = "shop_sandbox"
NEUROON_API_KEY = os.environ["NEUROON_API_KEY"]
NEUROON_API_URL = os.environ["NEUROON_API_URL"]
NEUROON_STOREFRONT_URL = "https://mystore.com"
NEUROON_RATE_LIMIT = None
OSCAR_NEUROON_PAID_STATUSES = ["Being processed"]

# All tables but this app's are made as the models say: oscar's 100 migrations take most of a minute.
MIGRATION_MODULES = dict.fromkeys(
    [
        *("admin", "auth", "contenttypes", "flatpages", "sessions", "sites", "thumbnail"),
        *("address", "analytics", "basket", "catalogue", "communication", "customer", "offer"),
        *("order", "partner", "payment", "reviews", "shipping", "voucher", "wishlists"),
    ]
)
