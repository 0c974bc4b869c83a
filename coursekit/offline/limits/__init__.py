"""An account's limits: what it may use a minute, what it has spent, and what the API then says."""
