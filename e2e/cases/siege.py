# SPDX-License-Identifier: Apache-2.0
"""A tenant attacks by what her programs do, and the others notice nothing.  Part of the module tenants."""

import os
import shutil
import struct
import subprocess
import sys
import time

from rubato import fuse_mute, kernel, scope, tools
from rubato.daemons import wait_until
from rubato.rig import policy, tool
from rubato.siege import Siege

SYMBOLS = 60_000
DAVES_HZ = 60
PATIENCE_S = 15


def begin(checks, what, name, **how):
    if why_not := kernel.missing():
        checks.skip(what, why_not)
        return None
    try:
        return Siege(name, **how)
    except tools.Missing as why:
        checks.skip(what, str(why))
        return None


def end(checks, siege):
    siege.judge_all(checks)
    siege.await_the_boosts_end(checks)
    siege.finish(checks)


def run_pod(siege, name, annotations=None):
    """A pod that she makes; the kubelet starts it.  Returns it."""
    mallory = siege.mallory
    pod = siege.rig.make_pod("mallory", name, lambda: mallory.pod(name, annotations))
    return pod


def hers(siege, name):
    """The functions in the profiles of one of her pods."""
    return {function for p in siege.rig.profiles("mallory", name) for stack, _, _ in p.samples() for function in stack}


def run_and_see(siege, name, argv, functions, seconds=3, **options):
    """Runs it in a pod of hers for so long; what is seen of it."""
    def attack():
        pod = run_pod(siege, name)
        pod.cgroup.run(*argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options)
        time.sleep(seconds)
        wait_until(lambda: functions & hers(siege, name), PATIENCE_S, 0.5)
        pod.cgroup.stop()
        return [(f"she has profiles, with {' or '.join(sorted(functions))}", bool(functions & hers(siege, name)),
                 str(sorted(hers(siege, name)))[:300])]
    return attack


def damaged_elf(directory):
    """Programs that run, and whose tables lie: (name, path)."""
    with open(tool("mallory"), "rb") as file:
        good = file.read()
    sections_at, = struct.unpack_from("<Q", good, 40)
    count, = struct.unpack_from("<H", good, 60)

    def all_sections(field, width, value):
        data = bytearray(good)
        for i in range(count):
            struct.pack_into(width, data, sections_at + 64 * i + field, value)
        return data

    def header(field, width, value):
        data = bytearray(good)
        struct.pack_into(width, data, field, value)
        return data

    made = {"sections-beyond": header(40, "<Q", 1 << 62), "sections-many": header(60, "<H", 0xffff),
            "names-none": header(62, "<H", 0xfffe), "sizes-huge": all_sections(32, "<Q", (1 << 63) - 1),
            "places-huge": all_sections(24, "<Q", (1 << 64) - 8), "entries-none": all_sections(56, "<Q", 0),
            "entries-odd": all_sections(56, "<Q", 1), "links-wild": all_sections(40, "<I", 0xffffffff), "cut": good[:sections_at + 7]}
    for name, data in made.items():
        path = os.path.join(directory, f"mallory-{name}")
        with open(path, "wb") as file:
            file.write(data)
        os.chmod(path, 0o755)
        yield name, path


def lying_programs(siege):
    def attack():
        pod, directory = run_pod(siege, "elf"), scope.temp_dir("mallory-elf-")
        for _, path in damaged_elf(directory):
            pod.cgroup.run(path, "work")
        odd = os.path.join(directory, "\x1b[2J\n..\\x\u202e" + "n" * 200)
        shutil.copy(tool("mallory"), odd)
        pod.cgroup.run(odd, "work")
        os.unlink(odd)
        names = lambda: {name for name in hers(siege, "elf") if name.startswith("mallory")}
        wait_until(lambda: len(names()) >= 3, PATIENCE_S, 0.5)
        pod.cgroup.stop()
        return [("she has names of those that can be read, and places in the others", len(names()) >= 3, str(sorted(names()))[:400])]
    return attack


def write_many_symbols(directory):
    """A program of SYMBOLS functions, called in turn."""
    text = [".text"]
    for i in range(SYMBOLS):
        name = f"mallory_{i:05}_{'x' * 100}"
        text.append(f".globl {name}\n.type {name},@function\n{name}: mov $3000,%ecx\n1: dec %ecx\njnz 1b\nret\n.size {name},.-{name}")
    text.append(".data\n.globl table\ntable:" + "".join(f"\n.quad mallory_{i:05}_{'x' * 100}" for i in range(SYMBOLS)))
    source = os.path.join(directory, "many")
    with open(f"{source}.S", "w", encoding="ascii") as file:
        file.write("\n".join(text) + '\n.section .note.GNU-stack,"",@progbits\n')
    with open(f"{source}.c", "w", encoding="ascii") as file:
        file.write("#include <unistd.h>\nextern void (*table[])(void);\nint main(void) { for (long i = 0;; i++) { table[i * 7919 %% %d](); "
                   "if (i %% 400 == 0) usleep(2000); } }\n".replace("%%", "%").replace("%d", str(SYMBOLS)))
    subprocess.run(["cc", "-O1", "-no-pie", f"{source}.c", f"{source}.S", "-o", source], check=True)
    return source


def many_symbols(siege):
    if not shutil.which("cc"):
        return None
    program = write_many_symbols(scope.temp_dir("mallory-many-"))

    def attack():
        pod = run_pod(siege, "symbols")
        pod.cgroup.run(program)
        named = lambda: sum(name.startswith("mallory_") for name in hers(siege, "symbols"))
        wait_until(lambda: named() >= 20, PATIENCE_S, 0.5)
        pod.cgroup.stop()
        return [("her functions have names", named() >= 20, f"{named()} of {SYMBOLS} seen")]
    return attack


def mute_files(siege):
    """A program on a file system of her own, whose server does not answer any more."""
    def attack():
        pod = run_pod(siege, "mute")
        pod.cgroup.run("unshare", "-m", sys.executable, fuse_mute.__file__, scope.temp_dir("mallory-mute-"), tool("mallory"), "work",
                       stderr=subprocess.DEVNULL)
        time.sleep(5)
        got = siege.rig.profiles("mallory", "mute")
        pod.cgroup.remove()
        return [("she has profiles", len(got) > 0, f"{len(got)}")]
    return attack


def starts_at_once(siege, name):
    """dave starts a container; (seconds to its first sample, to its own rate)."""
    new = siege.rig.pod("dave", name).burn(60)
    began = time.monotonic()
    wait_until(lambda: siege.log.of(new.cgroup.id), 5, 0.01)
    first_s = time.monotonic() - began
    wait_until(lambda: DAVES_HZ in siege.log.rates(new.cgroup.id), 5, 0.02)
    right_s = time.monotonic() - began
    siege.rig.delete_pod(new)
    return round(first_s, 2), round(right_s, 2)


def storm_of_cgroups(siege):
    """While it rages, dave starts containers."""
    def attack():
        pod = run_pod(siege, "storm")
        storm = pod.cgroup.run(tool("mallory"), "cgroups", pod.cgroup.dir, "6", stdout=subprocess.PIPE, text=True)
        time.sleep(0.5)
        late = [starts_at_once(siege, f"storm-{i}") for i in range(5)]
        made = storm.communicate()[0].strip()
        return [("dave's new containers are sampled, and at his rate, at once", max(first for first, _ in late) < 0.5 and
                 max(right for _, right in late) < 1, f"{late} s after their start, {made} cgroups made")]
    return attack


def hoard_of_cgroups(siege):
    def attack():
        pod = run_pod(siege, "hoard")
        made = pod.cgroup.run(tool("mallory"), "hoard", pod.cgroup.dir, "20000", stdout=subprocess.PIPE, text=True).communicate()[0].strip()
        late = [starts_at_once(siege, f"hoard-{i}") for i in range(2)]
        new = siege.rig.pod("dave", "last").burn(5)
        programmed = siege.rig.programmed("dave", "work")
        siege.rig.delete_pod(new)
        pod.cgroup.remove()
        return [(f"beside {made} cgroups of hers dave's new containers are sampled, and at his rate, at once",
                 max(first for first, _ in late) < 0.5 and max(right for _, right in late) < 1, f"{late} s after their start"),
                ("... which is confirmed", programmed, str(siege.rig.status("dave", "work"))[:300])]
    return attack


def odd_cgroups(siege):
    """Names of odd bytes, of the greatest length, deep ones, and such as a kubelet would give to alice's container."""
    def attack():
        pod, alice = run_pod(siege, "odd"), siege.pods["alice"]
        names = [b"\xff\xfe\x01", b"a\x1b[31m", b"n" * 255, b"\\x2f..", b"pod" + b"0" * 32,
                 alice.path.lstrip("/").split("/", 2)[-1].encode(), b"/".join([b"d" * 200] * 12),
                 f"kubepods/pod{alice.uid}/{alice.cid}".encode()]
        for name in names:
            path = os.path.join(pod.cgroup.dir.encode(), name)
            os.makedirs(path)
            work = pod.cgroup.run(tool("mallory"), "work")
            with open(os.path.join(path, b"cgroup.procs"), "w", encoding="ascii") as file:
                file.write(str(work.pid))
        time.sleep(4)
        mine = siege.rig.profiles("mallory", "odd")
        seen = sum(p.cpu_ns() for p in mine) / 1e9
        pod.cgroup.remove()
        return [("what runs in them is hers", seen > 0.3, f"{seen:.1f} s of CPU")]
    return attack


async def what_a_tenants_programs_do_changes_nothing_for_others(checks):
    if not (siege := begin(checks, "a tenant's programs", "siege-programs")):
        return
    siege.rig.namespace("dave")
    siege.rig.cluster.apply(policy("dave", "work", DAVES_HZ))
    maps = os.path.join(scope.temp_dir("mallory-maps-"), "code")
    work = {"mallory_work"}
    siege.attack(checks, "exec chains", run_and_see(siege, "chain", (tool("mallory"), "chain", "5000"), work))
    hurry = (tool("spawn"), "--rate", "200", "--seconds", "5", "--work-us", "3000")
    siege.attack(checks, "processes in a hurry", run_and_see(siege, "spawn", hurry, {"short_life"}, 5))
    siege.attack(checks, "names of odd bytes", run_and_see(siege, "names", (tool("mallory"), "names"), work))
    siege.attack(checks, "thousands of mappings of a deleted file",
                 run_and_see(siege, "maps", (tool("mallory"), "maps", maps, "20000"), {"code+0x3", "code+0x5", "[unknown]"}))
    siege.attack(checks, "programs whose tables lie", lying_programs(siege))
    if symbols := many_symbols(siege):
        siege.attack(checks, f"{SYMBOLS} symbols", symbols)
    siege.attack(checks, "cgroups of odd names", odd_cgroups(siege))
    siege.attack(checks, "a storm of cgroups", storm_of_cgroups(siege))
    siege.attack(checks, "20,000 cgroups that stay", hoard_of_cgroups(siege))
    if os.path.exists("/dev/fuse"):
        siege.attack(checks, "a file system that does not answer", mute_files(siege))
    end(checks, siege)


CASES = [what_a_tenants_programs_do_changes_nothing_for_others]
