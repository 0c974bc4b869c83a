"""JupyterLab in a real browser. As a package it has one browser and one JupyterLab, which end with
its last test.
"""
