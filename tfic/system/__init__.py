"""The machine and its surroundings: processor cores, devices, files, processes, addresses, command lines."""
