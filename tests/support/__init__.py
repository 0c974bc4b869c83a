"""What tests stand on: servers to start, stand-ins for what is not here, tables of cases. No
tests.
"""
