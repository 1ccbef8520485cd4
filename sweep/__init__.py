"""Which codecs to make, and where: grid, search, trials, tracking, Ray."""
