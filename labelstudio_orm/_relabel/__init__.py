"""How labels change: in the config, in results, over a whole project, and back."""
