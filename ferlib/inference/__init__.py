"""A checkpoint on its fastest engine."""
