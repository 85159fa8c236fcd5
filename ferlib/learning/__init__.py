"""Learning: preprocessing, models, training and evaluation."""
