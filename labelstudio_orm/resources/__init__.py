"""The nouns, by what they are about."""
