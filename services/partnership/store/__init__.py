"""Where SQL lives, and where permission lives: every function takes the transaction, and it carries the caller."""
