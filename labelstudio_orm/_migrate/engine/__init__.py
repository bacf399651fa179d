"""What the migrations are made of: journals, sources, users, comparisons, reports."""
