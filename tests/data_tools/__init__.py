"""The programs that made the data in coursekit/data/logits and the local replies with a small open
model. Only for authors.
"""
