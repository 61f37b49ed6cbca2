"""The two primary documents, sentence by sentence: which test proves each, or why none can.

S2S is the server-to-server page, PROD the products page. A row is (document and section, what stands
there in short, tests); tests are pytest's node names under `tests/`, and where there is nothing to
prove, the reason stands in their place, in a string of its own.
"""

from __future__ import annotations

CIRCLE = "contract/test_circle.py::test_the_whole_circle"
FACTS = "contract/test_facts.py::"
HEADERS = FACTS + "test_the_common_headers"
TOKEN = FACTS + "test_the_call_for_a_token"
VERIFY = FACTS + "test_the_call_that_verifies"
LOOK = FACTS + "test_looking_at_the_verification_changes_nothing"
REFUSED_DOMAIN = FACTS + "test_each_refusal_of_a_domain_says_what_to_do"
ATTEMPTS = FACTS + "test_three_attempts_at_least"
PAUSES = FACTS + "test_pauses_grow_exponentially"
WAITS = FACTS + "test_a_429_waits_as_long_as_it_says"
BLOCKED = FACTS + "test_401_403_and_404_pause_and_lose_nothing"
EXAMPLE = FACTS + "test_prods_example_is_what_the_app_sends"
LEAST = FACTS + "test_only_the_required_fields_are_needed_and_nothing_is_null"
MISSING = FACTS + "test_what_lacks_a_required_field_stays_at_home"
LARGE = FACTS + "test_a_large_catalogue_is_sent_by_100_and_listed_page_by_page"
COLUMNS = FACTS + "test_each_column_of_the_list_is_compared"
COUNTS = FACTS + "test_the_counts_of_the_answer_are_read"
FAILED = FACTS + "test_what_failed_is_told_by_its_message"
DELETE = FACTS + "test_a_delete_by_either_id"
BY_THE_CLOCK = "widget/test_pages.py::test_law_14_by_the_clock"
ROTATION = "widget/test_pages.py::test_law_14_beat_rotates_by_the_clock"
ONE_ISSUE = "widget/test_pages.py::test_law_14_one_issue_serves_every_process_whatever_the_cache"
KEY_NOWHERE = (
    "widget/test_pages.py::test_law_15_the_key_is_in_no_log_row_cache_key_or_redirected_request",
    "system/browser/test_circle.py::test_law_15_the_key_is_nowhere_in_the_browser",
)
STANDIN_LIST = "contract/test_sandbox_products.py::test_the_list_page_by_page"
SANDBOX_REFUSES = "contract/test_sandbox_refusals.py::test_what_is_refused"
S2S_CURLS = "contract/test_sandbox_documents.py::test_the_curls_of_the_server_to_server_page"
PROD_CURL = "contract/test_sandbox_documents.py::test_the_curl_of_the_products_page"
PROD_BODIES = "contract/test_sandbox_documents.py::test_the_bodies_of_the_products_page"

HEADING = "a heading"
POINTER = "points to another page"

Row = tuple[str, str, tuple[str, ...] | str]

S2S: list[Row] = [
    ("S2S title", "Custom · Server-to-server", HEADING),
    ("S2S intro", "your backend talks to Neuroon with the Shop API Key (sk_…)", (HEADERS, CIRCLE)),
    ("S2S intro", "that key is never exposed to the frontend", KEY_NOWHERE),
    ("S2S intro", "there are three server-to-server flows", (CIRCLE,)),
    ("S2S intro", "POST /api/shops/{id}/widget-token issues a token", (TOKEN, CIRCLE)),
    ("S2S intro", "the token is cached", (TOKEN, ONE_ISSUE)),
    ("S2S intro", "its TTL is fixed at 24 h, rotate at 23 h", (BY_THE_CLOCK, ROTATION)),
    ("S2S intro", "POST /api/plugin/shops/{shopId}/products/sync, in batches", (CIRCLE, LARGE)),
    (
        "S2S intro",
        "POST /api/plugin/shops/{shopId}/track/conversion when the order is confirmed",
        (CIRCLE, "system/test_flow.py::test_paid_order_becomes_a_conversion"),
    ),
    ("S2S headers", "X-Shop-API-Key: sk_…, server-to-server authentication", (HEADERS, CIRCLE)),
    ("S2S headers", "the key never goes to the frontend", KEY_NOWHERE),
    ("S2S headers", "Origin: your storefront URL", (HEADERS,)),
    ("S2S headers", "Origin is an extra validation for the domain", (VERIFY, SANDBOX_REFUSES)),
    ("S2S headers", "Content-Type: application/json for POST, PUT, PATCH", (HEADERS, CIRCLE)),
    ("S2S headers", "User-Agent: your-app/version", (HEADERS, CIRCLE)),
    ("S2S headers", "User-Agent makes filtering of Neuroon's logs easier", "a purpose, no fact"),
    ("S2S responses", "200 / 201: OK", (FACTS + "test_200_and_201_are_acceptance",)),
    (
        "S2S responses",
        "204: OK without a body, as of unverify",
        (FACTS + "test_unverify_is_answered_by_a_204_without_a_body", CIRCLE),
    ),
    (
        "S2S responses",
        "400: validation, {code, message, details: […]}",
        (
            FACTS + "test_a_400_is_the_products_and_its_message_is_told",
            "contract/test_client.py::test_every_shape_of_an_error_body_is_read",
        ),
    ),
    ("S2S responses", "401: invalid or missing key", (BLOCKED, SANDBOX_REFUSES)),
    (
        "S2S responses",
        "403: valid key, not authorised for Origin or shopId",
        (BLOCKED, SANDBOX_REFUSES),
    ),
    ("S2S responses", "404: shop or product does not exist", (BLOCKED, DELETE)),
    (
        "S2S responses",
        "409: conflict, e.g. domain already verified",
        (REFUSED_DOMAIN, FACTS + "test_a_409_is_the_orders_own"),
    ),
    ("S2S responses", "429: rate limit, Retry-After in seconds in the header", (WAITS,)),
    ("S2S responses", "5xx: retry with exponential backoff", (ATTEMPTS, PAUSES)),
    ("S2S example", "issuing a widget token", HEADING),
    (
        "S2S example",
        "the API's address is https://api.neuroon.ai unless set",
        ("operators/test_conf.py::test_every_setting_has_a_default_a_rule_and_a_hint", HEADERS),
    ),
    ("S2S example", "a cached token younger than 23 h is returned", (TOKEN, BY_THE_CLOCK)),
    ("S2S example", "POST with the key and a User-Agent and without a body", (TOKEN, HEADERS)),
    (
        "S2S example",
        "an answer that is not ok is an error",
        (
            FACTS + "test_a_token_needs_a_domain_that_was_verified_once",
            "system/test_faults.py::test_law_09_each_fault_at_each_step",
        ),
    ),
    ("S2S example", "the token stands in `token` of a JSON body", (TOKEN,)),
    ("S2S verify", "verify the domain (without the plugin)", HEADING),
    (
        "S2S verify",
        "the domain is verified once before tokens can be issued",
        (FACTS + "test_a_token_needs_a_domain_that_was_verified_once", SANDBOX_REFUSES),
    ),
    ("S2S verify", "it ties shop.url to the domain that serves the widget", (VERIFY, REFUSED_DOMAIN)),
    ("S2S verify", "POST /api/plugin/shops/{shopId}/verify, the domain in the body", (VERIFY,)),
    ("S2S verify", "its curl: key, Content-Type, Origin, {domain}", (S2S_CURLS, VERIFY)),
    (
        "S2S verify",
        "the body's field is `domain`, not blank; `url` is a 400",
        (VERIFY, "contract/test_sandbox_domain.py::test_verify_without_a_domain"),
    ),
    (
        "S2S verify",
        "the domain is compared with shop.url of the dashboard",
        (REFUSED_DOMAIN, "contract/test_sandbox_refusals.py::test_an_origin_of_the_shop"),
    ),
    (
        "S2S verify",
        "on a match the domain is verified and tokens can be served",
        (FACTS + "test_a_token_needs_a_domain_that_was_verified_once", CIRCLE),
    ),
    (
        "S2S verify",
        "403 with {timestamp, status, error, message, path}: edit shop.url, retry",
        (REFUSED_DOMAIN, SANDBOX_REFUSES),
    ),
    (
        "S2S verify",
        "404: no such shop, or not this key's",
        (FACTS + "test_a_404_of_the_domain_is_the_shop_id", SANDBOX_REFUSES),
    ),
    ("S2S verify", "409: verified by another shop, support ticket", (REFUSED_DOMAIN, SANDBOX_REFUSES)),
    ("S2S verify", "GET …/verification-data inspects without mutating", (LOOK, S2S_CURLS)),
    ("S2S verify", "it returns {verificationCode, instructions, verified}", (LOOK, S2S_CURLS)),
    ("S2S verify", "verify returns {shopId, verificationCode, domain, name}", (VERIFY, S2S_CURLS)),
    (
        "S2S verify",
        "in staging several domains, each by a verify of its own",
        (
            "operators/management/test_neuroon_verify.py::test_domains_are_verified_in_turn",
            "contract/test_sandbox_domain.py::test_verify_and_unverify",
        ),
    ),
    ("S2S verify", "in production a change needs shop.url in the dashboard", (REFUSED_DOMAIN,)),
    (
        "S2S rotation",
        "there is no refresh endpoint for widget tokens",
        (FACTS + "test_no_other_address_is_asked", ROTATION),
    ),
    (
        "S2S rotation",
        "a token lives 24 h",
        (BY_THE_CLOCK, "contract/test_sandbox_shoppers.py::test_search"),
    ),
    ("S2S rotation", "to rotate, POST widget-token again", (ROTATION, TOKEN)),
    (
        "S2S rotation",
        "use the new one; the former stays valid until it expires, no revocation",
        (
            FACTS + "test_a_new_token_leaves_the_former_one_valid",
            "contract/test_sandbox_documents.py::test_the_token_of_the_server_to_server_page",
        ),
    ),
    ("S2S rotation", "cache with a margin of 23 h at most", (BY_THE_CLOCK,)),
    (
        "S2S rotation",
        "/api/tokens/refresh does not rotate widget tokens, do not use it",
        (FACTS + "test_no_other_address_is_asked",),
    ),
    (
        "S2S idempotency",
        "widget-token: every call issues a new token",
        ("contract/test_sandbox_documents.py::test_the_token_of_the_server_to_server_page",),
    ),
    (
        "S2S idempotency",
        "products/sync: by externalId, the same batch again duplicates nothing",
        (FACTS + "test_the_same_batch_again_duplicates_nothing",),
    ),
    (
        "S2S idempotency",
        "track/conversion: by orderId, again duplicates nothing",
        (FACTS + "test_a_report_whose_answer_was_lost_is_one_conversion",),
    ),
    ("S2S idempotency", "verify: by domain and shopId", (VERIFY,)),
    ("S2S idempotency", "at least 3 attempts on 429 and 5xx", (ATTEMPTS,)),
    ("S2S idempotency", "with exponential backoff", (PAUSES,)),
    ("S2S practices", "never transmit the key to the frontend", KEY_NOWHERE),
    ("S2S practices", "cache the token on the server", (ONE_ISSUE,)),
    ("S2S practices", "refresh it with a margin of 5 minutes", (BY_THE_CLOCK,)),
    (
        "S2S practices",
        "a specific User-Agent",
        ("operators/test_conf.py::test_a_shops_user_agent_names_its_storefront", HEADERS),
    ),
    ("S2S practices", "respect Retry-After on 429", (WAITS,)),
    (
        "S2S practices",
        "do not mix environments, tokens of one do not work on another",
        (
            FACTS + "test_environments_do_not_mix",
            "widget/test_pages.py::test_law_14_kept_per_shop_address_and_key",
        ),
    ),
    ("S2S next steps", "recipe: server-to-server token with Redis", POINTER),
    ("S2S next steps", "authentication: Shop API Key", POINTER),
    ("S2S next steps", "authentication: Widget Token", POINTER),
    ("S2S next steps", "authentication: Rate Limits", POINTER),
]

PROD: list[Row] = [
    ("PROD title", "Products", HEADING),
    ("PROD intro", "endpoints for managing the product catalog", (CIRCLE,)),
    ("PROD list", "GET /api/shops/{shopId}/products", (CIRCLE, PROD_BODIES)),
    ("PROD list", "header X-Shop-API-Key", (LARGE, SANDBOX_REFUSES)),
    ("PROD list", "page: number, default 0", (LARGE, STANDIN_LIST)),
    ("PROD list", "size: number, default 20", (LARGE, STANDIN_LIST)),
    ("PROD list", "sort: a field; its values are named nowhere", (CIRCLE, SANDBOX_REFUSES)),
    ("PROD list", "content[].id is Neuroon's own, prod_123", (DELETE, PROD_BODIES)),
    ("PROD list", "content[].externalId", (LARGE, PROD_BODIES)),
    ("PROD list", "content[].name", (COLUMNS, PROD_BODIES)),
    ("PROD list", "content[].price is a number", (COLUMNS, PROD_BODIES)),
    ("PROD list", "content[].inStock is a boolean", (COLUMNS, PROD_BODIES)),
    ("PROD list", "content[].createdAt is an ISO date", (PROD_BODIES, STANDIN_LIST)),
    ("PROD list", "page, size, totalElements, totalPages", (LARGE, PROD_BODIES)),
    ("PROD sync", "POST /api/shops/{shopId}/products/sync", (CIRCLE, PROD_CURL)),
    (
        "PROD sync",
        "products are created or updated",
        (FACTS + "test_sync_creates_and_updates", CIRCLE),
    ),
    ("PROD sync", "headers X-Shop-API-Key and Content-Type", (HEADERS, CIRCLE)),
    ("PROD sync", "the body is a bare array of products", (EXAMPLE, PROD_CURL)),
    ("PROD fields", "externalId: string, required, unique in your system", (EXAMPLE, MISSING)),
    ("PROD fields", "name: string, required", (EXAMPLE, MISSING)),
    ("PROD fields", "price: number, required", (EXAMPLE, MISSING)),
    ("PROD fields", "url: string, required", (EXAMPLE, MISSING)),
    ("PROD fields", "description: string", (EXAMPLE, LEAST)),
    ("PROD fields", "salePrice: number", (EXAMPLE, LEAST)),
    (
        "PROD fields",
        "currency: string, default USD",
        (
            EXAMPLE,
            FACTS + "test_the_currency_is_always_said_as_neuroons_default_is_another",
        ),
    ),
    ("PROD fields", "imageUrl: string", (EXAMPLE, LEAST)),
    ("PROD fields", "categories: string[]", (EXAMPLE, LEAST)),
    ("PROD fields", "brand: string", (EXAMPLE, LEAST)),
    ("PROD fields", "tags: string[]", (EXAMPLE, LEAST)),
    ("PROD fields", "inStock: boolean, default true", (EXAMPLE, LEAST, COLUMNS)),
    ("PROD fields", "stockQuantity: number", (EXAMPLE, LEAST)),
    ("PROD answer", "synced: number", (COUNTS, PROD_CURL)),
    ("PROD answer", "created: number", (COUNTS, PROD_CURL)),
    ("PROD answer", "updated: number", (COUNTS, PROD_CURL)),
    ("PROD answer", "failed: number", (COUNTS, FAILED)),
    ("PROD answer", "errors: a list, empty where nothing failed", (COUNTS, FAILED)),
    ("PROD delete", "DELETE /api/shops/{shopId}/products/{productId}", (DELETE, CIRCLE)),
    ("PROD delete", "header X-Shop-API-Key", (DELETE, SANDBOX_REFUSES)),
    ("PROD delete", '{"deleted": true}', (DELETE, PROD_BODIES)),
    ("PROD example", "batch sync by curl, two products with the required fields", (PROD_CURL, LEAST)),
    ("PROD limits", "at most 100 products per sync request", (LARGE, SANDBOX_REFUSES)),
    ("PROD limits", "several requests for a large catalog", (LARGE,)),
    (
        "PROD limits",
        "respect the rate limits",
        (WAITS, "delivery/test_pacing.py::test_law_09_workers_that_share_a_limit_meet_no_429"),
    ),
]
