"""The sweep on Ray: the only package that imports Ray."""
