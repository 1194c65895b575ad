"""What can happen, one function or class each: load, decide, save, announce."""
