"""Figures from plain numbers, each with a caption line that gives n and protocol.

Every function gives a matplotlib Figure; `style.save_figure` writes it so that the same numbers always give the same
bytes.
"""
