"""The query language of the Data Manager."""
