"""A page with the widget, one for whole-page caches, and the token's own endpoint."""

from django.shortcuts import render
from django.urls import include, path

urlpatterns = [
    path("", lambda request: render(request, "page.html")),
    path("neuroon/", include("neuroon_django.urls")),
]
