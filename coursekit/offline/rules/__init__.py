"""What the API refuses: its words, the form of a request, and what a model does not support."""
