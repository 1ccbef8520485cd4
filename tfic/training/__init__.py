"""Training of one codec in two stages: data, losses, steps, several workers, unfinished state."""
