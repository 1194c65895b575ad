"""What partnership asks of the other services, in plain JSON of their contracts."""
