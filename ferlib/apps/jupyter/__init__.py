"""The live demo of notebook 05: the camera and upload widgets, their panel, and Voila."""
