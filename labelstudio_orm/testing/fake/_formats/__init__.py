"""Labelling configs, and the formats of files: tables that are read, exports that are written."""
