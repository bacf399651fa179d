"""The labelling config: its parsing, its regions, its checks and its edits."""
