"""What a OneRoster archive may say, and which of its slips can be mended without guessing."""
