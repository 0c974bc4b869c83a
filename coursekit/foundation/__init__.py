"""What everything here may use: whole files, exceptions that travel between processes, arguments,
colors.
"""
