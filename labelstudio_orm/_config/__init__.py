"""The labelling config: its parts, by what they are about."""
