"""What one codec is: settings, images, network, reader, training, measuring. Knows nothing of sweeps."""
