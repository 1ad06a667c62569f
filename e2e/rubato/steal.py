# SPDX-License-Identifier: Apache-2.0
"""CPU time that the host of a virtual machine takes away.  A timer of the guest goes on meanwhile, so the profiles count it
to whom it was taken from; the kernel's account of a cgroup leaves it out (CONFIG_PARAVIRT_TIME_ACCOUNTING)."""

import os


def reading():
    """(CPU seconds that the machine has worked, those that were taken from it), since its boot."""
    with open("/proc/stat", encoding="ascii") as file:
        user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, file.readline().split()[1:9])
    tick = os.sysconf("SC_CLK_TCK")
    return (user + nice + system + irq + softirq) / tick, steal / tick


def share_since(before):
    """Of what was worked since, how much was taken besides: 0.1 = 10 %."""
    worked, stolen = (now - then for now, then in zip(reading(), before))
    return stolen / worked if worked > 0 else 0
