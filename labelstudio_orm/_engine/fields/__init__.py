"""What a resource declares: its fields, and the options of its header."""
