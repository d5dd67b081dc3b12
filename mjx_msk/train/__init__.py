"""Preparing data, training and evaluating the learned estimators."""
