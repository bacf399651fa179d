"""Querysets, relations, and the declaration of resources."""
