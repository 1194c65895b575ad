"""The arithmetic and law of testing: forms, answer sheets, scores, ability. Values in, values out."""
