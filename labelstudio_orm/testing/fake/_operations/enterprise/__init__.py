"""The operations that only the Enterprise edition has."""
