"""What each attempt met, and what that says about the client."""
