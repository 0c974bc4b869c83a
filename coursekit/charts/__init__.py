"""The pictures of the course, one module per chapter. They draw what they are given and do no
arithmetic of their own.
"""
