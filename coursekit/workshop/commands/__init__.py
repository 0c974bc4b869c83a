"""The commands that a learner and a teacher type: lab, doctor, progress, local, serve."""
