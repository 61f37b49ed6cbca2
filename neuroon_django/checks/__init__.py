"""System checks: each wrong setting or feed, with an id and a hint that says what to type.

`apps.ready` imports this package, which registers the checks; none of them asks the database or the
network, for `manage.py check` must run where neither is.
"""

from neuroon_django.checks.feeds import check_feeds
from neuroon_django.checks.project import check_deployment, check_project
from neuroon_django.checks.settings import check_settings

__all__ = ["check_deployment", "check_feeds", "check_project", "check_settings"]
