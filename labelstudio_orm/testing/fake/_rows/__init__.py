"""Rows as answers show them, and the columns that follow from other rows."""
