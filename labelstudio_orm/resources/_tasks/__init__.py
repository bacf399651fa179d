"""What is done with many tasks at once: imports, exports, actions, predictions."""
