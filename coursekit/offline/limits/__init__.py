"""An account's limits: what it may use per minute, what it has spent, and how the API answers."""
