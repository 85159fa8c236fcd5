"""Data: class order, FER+ rules, readers, cleaning, and drawn faces."""
