"""The goals: one file a group, as ``goal.py`` says."""
