"""What happens here when something happened elsewhere, and when a framework is imported."""
