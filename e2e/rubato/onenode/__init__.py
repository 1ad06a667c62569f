# SPDX-License-Identifier: Apache-2.0
"""A real cluster of one node on this machine: API server, controller-manager, scheduler, kubelet, containerd, kube-proxy, CoreDNS.

All of it runs in a network and a mount namespace of its own (space.py), so nothing of the machine's network, mounts and
directories is touched, and what it leaves can be found and ended by those."""
