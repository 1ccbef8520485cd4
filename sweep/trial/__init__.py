"""One trial from its start to its end in the tracking store, without Ray."""
