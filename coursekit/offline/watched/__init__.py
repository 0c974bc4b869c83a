"""The outcome of each attempt, and a verdict on the client."""
