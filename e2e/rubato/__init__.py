# SPDX-License-Identifier: Apache-2.0
"""What the end-to-end tests, the demo and the benches share.  Python 3.11's standard library only."""
