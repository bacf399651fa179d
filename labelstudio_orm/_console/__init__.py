"""What the command line and the scripts of migrations share: arguments, running, output."""
