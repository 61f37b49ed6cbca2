"""The example shop's addresses, and a page that is cached whole."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import include, path
from django.views.decorators.cache import cache_page


@cache_page(3600)
def cached(request: HttpRequest) -> HttpResponse:
    return render(request, "cached.html")


def floating(request: HttpRequest) -> HttpResponse:
    return render(request, "floating.html", {"LANGUAGE": request.GET.get("language", "en")})


urlpatterns = [path("cached/", cached), path("floating/", floating), path("", include("config.urls"))]
