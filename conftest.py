"""For tests and notebooks: kernels are forked, where that can be."""

pytest_plugins = ["support.warm_kernels"]
