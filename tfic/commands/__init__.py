"""The commands of 'python -m tfic' that work on files."""
