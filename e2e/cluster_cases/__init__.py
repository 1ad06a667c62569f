# SPDX-License-Identifier: Apache-2.0
"""What `make e2e-cluster` runs, in this order, on one cluster with rubato installed: each module has CASES."""
