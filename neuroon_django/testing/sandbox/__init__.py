"""A local stand-in for Neuroon, of the standard library alone and without Django.

It follows API.md strictly over real sockets, keeps what it received, and goes wrong as it is
told to: `with Sandbox() as neuroon:` in a test, `python -m neuroon_django.testing.sandbox` as a
process of its own.
"""

from .faults import Fault, random_faults
from .neuroon import Sandbox
from .server import Request

__all__ = ["Fault", "Request", "Sandbox", "random_faults"]
