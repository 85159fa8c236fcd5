"""Streams: frames in time, faces followed and tracked through them, labels smoothed."""
