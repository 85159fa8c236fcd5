"""Drawn faces: a stand-in for the data set that may be passed on."""
