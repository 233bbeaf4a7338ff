import importlib.util

# Without PyTorch, see requirements-reference.txt, there is nothing to compare with.
collect_ignore_glob = [] if importlib.util.find_spec("torch") else ["test_*.py"]
