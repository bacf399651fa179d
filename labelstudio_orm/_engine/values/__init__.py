"""Values: how they are read, written, shown in messages, and kept secret."""
