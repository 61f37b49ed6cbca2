"""Every budget of the app, measured: `python -m tests.benchmarks`. Never part of the tests."""
