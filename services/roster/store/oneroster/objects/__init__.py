"""The objects of each service of OneRoster, and the collections they are read in."""
