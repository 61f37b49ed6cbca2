"""A local stand-in for Neuroon, of the standard library alone and without Django.

It follows API.md strictly over real sockets, keeps what it received, and goes wrong as it is
asked to: `with Sandbox() as neuroon:` in a test, `python -m neuroon_django.testing.sandbox` as a
process of its own.
"""

from .faults import Fault, random_faults
from .messages import Request
from .neuroon import Sandbox

__all__ = ["Fault", "Request", "Sandbox", "random_faults"]
