"""What a shop writes for the fixture of neuroon-django; pytest alone has no database for it."""

import sys

if "pytest_django" in sys.modules:
    pytest_plugins = ["neuroon_django.testing.fixtures"]
