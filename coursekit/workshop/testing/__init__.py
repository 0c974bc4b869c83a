"""What pytest needs for the course: a plugin, and what nbval replaces before it compares."""

from ..quick_start import leave_out_slow_grammar

leave_out_slow_grammar()  # before anything here imports nbformat: this is where pytest enters
