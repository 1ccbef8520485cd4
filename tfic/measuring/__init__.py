"""Measuring of a codec on real bytes: rate, PSNR, what each reader reads, and classical codecs beside it."""
