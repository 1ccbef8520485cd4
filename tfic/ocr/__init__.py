"""Readers: the frozen one that codecs are trained against, and the programs that read whole pages."""
