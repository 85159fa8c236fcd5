"""Networks, their preprocessing and their files."""
