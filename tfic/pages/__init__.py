"""Images with the text that stands on them, and what their files declare."""
