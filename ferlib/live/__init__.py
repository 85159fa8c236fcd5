"""Live: faces found in pictures, cropped as the classifier expects them, and classified."""
