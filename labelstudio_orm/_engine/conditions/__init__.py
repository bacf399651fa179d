"""Conditions and orders: how they are written, and what they mean."""
