"""Running the notebooks headless, and keeping their stored outputs clean."""
