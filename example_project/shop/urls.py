"""The storefront's addresses, and the payment provider's webhook."""

from django.urls import path

from shop import payments, views

app_name = "shop"

urlpatterns = [
    path("", views.product_list, name="list"),
    path("product/<slug:slug>/<int:pk>/", views.product, name="product"),
    path("images/<path:sku>.svg", views.drawing, name="drawing"),
    path("basket/add/<int:pk>/", views.basket_add, name="basket_add"),
    path("checkout/", views.checkout, name="checkout"),
    path("order/<str:number>/", views.order, name="order"),
    path("payments/webhook/", payments.webhook, name="webhook"),
]
