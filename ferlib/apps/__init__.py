"""Applications that a person opens: the notebook's live demo, and the page in the browser."""
