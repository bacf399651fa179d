"""The migrations: copy, sync, verify, merge, dedupe, split, archive, and steps of your own."""
