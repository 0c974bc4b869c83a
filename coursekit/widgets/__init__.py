"""The labs of the course, one module per lab: controls, and a pure function from their values to
what is shown.

A lab's ``static()`` picture or table is in the committed notebook as well, for the web, print and
screen readers.
"""
