"""What pytest needs for the course: a plugin, and kernels that are forked from a warm process."""

from ..quick_start import leave_out_slow_grammar

leave_out_slow_grammar()  # before anything here imports nbformat: pytest comes in by this door
