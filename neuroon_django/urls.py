"""The URLs of this app: `path("neuroon/", include("neuroon_django.urls"))` in the shop's own.

They give `neuroon/widget-token/`, by the name `neuroon:widget-token`.
"""

from __future__ import annotations

from django.urls import path

from neuroon_django import views

app_name = "neuroon"
urlpatterns = [path("widget-token/", views.widget_token, name="widget-token")]
