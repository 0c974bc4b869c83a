"""Support for tests: servers to start, stand-ins for what is not available, and tables of cases.
Contains no tests.
"""
