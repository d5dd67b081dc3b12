"""The learned estimators: landmarks to motion, motion to forces."""
