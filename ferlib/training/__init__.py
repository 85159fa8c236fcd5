"""From arrays to a run's folder: recipes, augmentation, the loop."""
