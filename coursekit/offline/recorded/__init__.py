"""Recorded answers: how one is found, given another form, and written by an author."""
