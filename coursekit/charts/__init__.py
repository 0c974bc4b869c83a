"""The course's pictures, one module per chapter. The functions draw what they are given and do not
calculate anything themselves.
"""
