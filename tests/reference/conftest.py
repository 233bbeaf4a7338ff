import importlib.util

# Without PyTorch, see the extra `reference`, there is nothing to compare with.
collect_ignore_glob = [] if importlib.util.find_spec("torch") else ["test_*.py"]
