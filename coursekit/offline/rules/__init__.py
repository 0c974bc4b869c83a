"""What the API refuses: its words, the form of a request, and what one model does not do."""
