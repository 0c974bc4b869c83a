"""The pictures of the course, one module a chapter. They draw what they are given and do no
arithmetic of their own.
"""
