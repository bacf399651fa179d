"""Values: reading, writing, showing them in messages, and keeping them secret."""
