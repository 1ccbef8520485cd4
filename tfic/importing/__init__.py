"""Pages that people have, in the form of a folder with `metadata.jsonl`: PDF, ICDAR, LMDB, folders."""
