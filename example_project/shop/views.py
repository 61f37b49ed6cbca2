"""The storefront: the shelves, a product, basket and checkout in one, the order."""

from __future__ import annotations

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Min, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.template.loader import render_to_string
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from shop.basket import Basket
from shop.checkout import OutOfStock, place_order
from shop.drawings import draw
from shop.forms import CheckoutForm, QuantityForm, posted_quantities
from shop.models import Brand, Category, Order, Product, ProductQuerySet
from shop.payments import sign

PER_PAGE = 24
SORTS = {
    "popular": ("Most loved", ["-popularity", "pk"]),
    "cheap": ("Price, low to high", ["lowest", "pk"]),
    "dear": ("Price, high to low", ["-lowest", "pk"]),
    "name": ("Name", ["title", "pk"]),
}
ORDERS_KEY = "orders"


@require_GET
def product_list(request: HttpRequest) -> HttpResponse:
    slugs = request.GET.get("category"), request.GET.get("brand")
    category = get_object_or_404(Category, slug=slugs[0]) if slugs[0] else None
    brand = get_object_or_404(Brand, slug=slugs[1]) if slugs[1] else None
    sort = request.GET.get("sort", "popular")
    sort = sort if sort in SORTS else "popular"
    products = Product.objects.published()
    products = products.filter(categories=category) if category else products
    brands = Brand.objects.filter(products__in=products).distinct()
    products = products.filter(brand=brand) if brand else products
    page = Paginator(_sorted(products, sort), PER_PAGE).get_page(request.GET.get("page"))
    context = {
        "category": category,
        "shelves": Category.objects.filter(parent=category).order_by("name"),
        "brand": brand,
        "brands": brands,
        "sort": sort,
        "sorts": [(key, label) for key, (label, _) in SORTS.items()],
        "page": page,
        "pages": page.paginator.get_elided_page_range(page.number, on_each_side=1, on_ends=1),
    }
    return render(request, "shop/list.html", context)


@require_GET
def product(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    found = get_object_or_404(_shown(Product.objects.published()), pk=pk)
    if found.slug != slug:
        return redirect(found, permanent=True)
    path = list(found.categories.all())
    context = {
        "product": found,
        "path": path,
        "form": QuantityForm(),
        "others": _alike(found, path[-1]) if path else [],
    }
    return render(request, "shop/product.html", context)


@require_GET
@cache_control(public=True, max_age=86_400)
def drawing(request: HttpRequest, sku: str) -> HttpResponse:
    """The picture of a product that has no photograph, as a file of its own."""
    found = get_object_or_404(Product.objects.prefetch_related("categories"), sku=sku)
    svg = render_to_string("shop/drawing.svg", {"drawing": draw(found)})
    return HttpResponse(svg, content_type="image/svg+xml")


@require_POST
def basket_add(request: HttpRequest, pk: int) -> HttpResponse:
    found = get_object_or_404(Product.objects.published(), pk=pk)
    form = QuantityForm(request.POST)
    if not form.is_valid():
        messages.error(request, "How many would you like? Between 1 and 99.")
        return redirect(found)
    Basket(request).add(found, form.cleaned_data["quantity"])
    if "buy" in request.POST:
        return redirect("shop:checkout")
    messages.success(request, f"{found.local_title} is in your basket.")
    return redirect(found)


@require_http_methods(["GET", "POST"])
def checkout(request: HttpRequest) -> HttpResponse:
    """Basket and checkout on one page: either button stores the quantities, one of them orders."""
    basket = Basket(request)
    if request.method == "POST":
        basket.change(posted_quantities(request.POST, basket.quantities))
        if "order" not in request.POST:
            return redirect("shop:checkout")
    form = CheckoutForm(request.POST or None)
    if basket.lines and form.is_valid():
        try:
            return redirect(_order(request, basket, form.cleaned_data["email"]))
        except OutOfStock as short:
            form.add_error(None, str(short))
    return render(request, "shop/checkout.html", {"form": form, "basket": basket})


@require_GET
def order(request: HttpRequest, number: str) -> HttpResponse:
    """Shown to the browser that ordered; the page also plays the payment provider."""
    if number not in request.session.get(ORDERS_KEY, []):
        raise Http404("This order belongs to somebody else.")
    orders = Order.objects.prefetch_related("lines__product__categories")
    found = get_object_or_404(orders, number=number)
    return render(request, "shop/order.html", {"order": found, "signature": sign(number)})


def _order(request: HttpRequest, basket: Basket, email: str) -> Order:
    placed = place_order(email, {line.product.pk: line.quantity for line in basket.lines})
    request.session[ORDERS_KEY] = [*request.session.get(ORDERS_KEY, [])[-19:], placed.number]
    basket.clear()
    return placed


def _sorted(products: ProductQuerySet, sort: str) -> QuerySet[Product]:
    if sort in {"cheap", "dear"}:
        products = products.annotate(lowest=Min("stockrecords__price"))
    return _shown(products.order_by(*SORTS[sort][1]))


def _shown(products: ProductQuerySet) -> ProductQuerySet:
    """With what a card or a page of a product reads."""
    return products.with_stock().prefetch_related("categories")


def _alike(product: Product, shelf: Category) -> QuerySet[Product]:
    neighbours = Product.objects.published().filter(categories=shelf).exclude(pk=product.pk)
    return _shown(neighbours)[:4]
