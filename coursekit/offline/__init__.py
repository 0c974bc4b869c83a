"""The offline API: it answers the real SDK from recordings, refuses as the real API does, and fails on request."""
