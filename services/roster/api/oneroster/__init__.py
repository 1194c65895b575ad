"""OneRoster's REST: which operation a path means, who may ask, and how it is answered."""
