"""What happens when a file comes in, and when the roster moves a student."""
