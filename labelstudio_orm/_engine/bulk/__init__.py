"""The verbs that act on many objects, and what they report."""
