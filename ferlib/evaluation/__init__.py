"""Measures of classifiers: scores, calibration, comparison, robustness, leakage, taggers."""
