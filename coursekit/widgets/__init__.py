"""The labs of the course, one module a lab: controls, and a pure function from their values to what
is shown.

A lab's ``static()`` picture or table stands in the committed notebook too, for the web, print and
screen readers.
"""
