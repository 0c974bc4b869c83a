"""What made the data in coursekit/data/logits and the local replies, from a small open model. Authors only."""
