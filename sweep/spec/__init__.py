"""The specification of a sweep: its space, its trials and their keys, its limits."""
