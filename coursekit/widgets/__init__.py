"""The course's labs, one module per lab: controls, and a pure function from their values to the
output.

A lab's ``static()`` picture or table is also in the committed notebook, for the web, print, and
screen readers.
"""
