"""Settings that have to be made before numerical libraries are loaded."""

import os

# Small networks in several test processes: threads that wait for one another take ten times as long.
os.environ.setdefault("OMP_NUM_THREADS", "1")
