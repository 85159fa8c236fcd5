"""Drawn faces: a stand-in for the data set, free to be passed on."""
