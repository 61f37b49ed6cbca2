"""One cold web process: many threads render a page at once. `python -m tests.widget.cold_process`.

Reads its settings as one JSON line, says "ready", waits for a line, and prints what its pages got.
"""

from __future__ import annotations

import json
import os
import sys
import threading


def main() -> None:
    told = json.loads(sys.stdin.readline())
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    import django
    from django.conf import settings

    settings.DATABASES["default"]["NAME"] = told["database"]
    for name, value in told["settings"].items():
        setattr(settings, name, value)
    django.setup()
    from neuroon_django import get_widget_token

    start, tokens = threading.Barrier(told["threads"] + 1), []

    def render() -> None:
        start.wait()
        tokens.append(get_widget_token())

    threads = [threading.Thread(target=render) for _ in range(told["threads"])]
    for thread in threads:
        thread.start()
    print("ready", flush=True)
    sys.stdin.readline()
    start.wait()
    for thread in threads:
        thread.join()
    print(json.dumps(tokens), flush=True)


if __name__ == "__main__":
    main()
