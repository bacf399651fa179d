"""Changes of labels: in the config, in results, over a whole project, and their undoing."""
