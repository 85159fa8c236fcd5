"""The networks, their preprocessing and their files."""
