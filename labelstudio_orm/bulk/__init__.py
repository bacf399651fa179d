"""The verbs that act on many objects, what they tell, and trying them without writing."""
