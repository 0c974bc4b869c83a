"""Tools that every module here can use: atomic writes, exceptions that travel between processes,
argument checks, colors.
"""
