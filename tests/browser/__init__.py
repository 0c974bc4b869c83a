"""Tests of JupyterLab in a real browser. The package shares one browser and one JupyterLab, which
end after its last test.
"""
