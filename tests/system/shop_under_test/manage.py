"""A small shop with tests of its own, which `tests/system/test_shops_own_tests.py` runs."""

import os
import sys

from django.core.management import execute_from_command_line

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mysite.settings")
execute_from_command_line(sys.argv)
