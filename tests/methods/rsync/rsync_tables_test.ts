import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { Failure, type FailureCode, type NextStep } from "../../../src/domain/failure.ts";
import { rsyncArgs, rsyncPair, rsyncVersion } from "../../../src/methods/rsync/rsync_args.ts";
import { rsyncFailure, rsyncFileFailures, rsyncProgress } from "../../../src/methods/rsync/rsync_failures.ts";
import { aServer } from "../../conformance/rig.ts";

const nas = { name: "nas", timeoutMs: 300_000, transport: { host: "nas", user: null, port: null } };

/** Exit code, standard error, what it means. */
const ENDS: readonly [number, string, FailureCode, NextStep][] = [
  [1, "rsync: --foo: unknown option\nrsync error: syntax or usage error (code 1) at main.c(1)", "configuration", "hold"],
  [
    2,
    "protocol version mismatch -- is your shell clean?\nrsync error: protocol incompatibility (code 2)",
    "tool_missing",
    "hold",
  ],
  [3, "rsync error: errors selecting input/output files, dirs (code 3)", "not_a_folder", "hold"],
  [4, "rsync: This rsync lacks --x\nrsync error: requested action not supported (code 4)", "configuration", "hold"],
  [5, "rsync error: error starting client-server protocol (code 5)", "interrupted", "later"],
  [10, "rsync: read error: Connection reset by peer (104)\nrsync error: error in socket IO (code 10)", "interrupted", "later"],
  [
    11,
    'rsync: [receiver] write failed on "/d/1": No space left on device (28)\nrsync error: error in file IO (code 11)',
    "disk_full",
    "hold",
  ],
  [
    11,
    'rsync: [Receiver] mkdir "/d/a1" failed: Read-only file system (30)\nrsync error: error in file IO (code 11)',
    "read_only",
    "hold",
  ],
  [
    11,
    'rsync: [Receiver] mkdir "/d/a1" failed: Permission denied (13)\nrsync error: error in file IO (code 11)',
    "permission_denied",
    "hold",
  ],
  [
    12,
    "rsync: connection unexpectedly closed (0 bytes received so far) [sender]\nrsync error: error in rsync protocol data stream (code 12)",
    "interrupted",
    "later",
  ],
  [
    12,
    "bash: line 1: rsync: command not found\nrsync: connection unexpectedly closed (0 bytes received so far) [sender]",
    "tool_missing",
    "hold",
  ],
  [12, "client_loop: send disconnect: Broken pipe\r\nrsync: [sender] write error: Broken pipe (32)", "interrupted", "later"],
  [
    12,
    'rsync: [receiver] write failed on "/d/1": No space left on device (28)\nclient_loop: send disconnect: Broken pipe\nrsync: [sender] write error: Broken pipe (32)',
    "disk_full",
    "hold",
  ],
  [13, "rsync error: errors with program diagnostics (code 13)", "interrupted", "later"],
  [14, "rsync error: error in IPC code (code 14)", "interrupted", "later"],
  [20, "rsync error: received SIGINT, SIGTERM, or SIGHUP (code 20)", "interrupted", "later"],
  [21, "rsync error: waitpid() failed (code 21)", "interrupted", "later"],
  [22, "ERROR: out of memory\nrsync error: error allocating core memory buffers (code 22)", "interrupted", "later"],
  [25, "rsync error: the --max-delete limit stopped deletions (code 25)", "configuration", "hold"],
  [30, "[sender] io timeout after 5 seconds -- exiting\nrsync error: timeout in data send/receive (code 30)", "timeout", "later"],
  [35, "rsync error: timeout waiting for daemon connection (code 35)", "timeout", "later"],
  [126, "bash: /usr/bin/rsync: cannot execute", "tool_missing", "hold"],
  [127, "bash: line 1: /opt/rsync: No such file or directory", "tool_missing", "hold"],
  [255, "ssh: connect to host nas port 22: Connection refused\r\nrsync: connection unexpectedly closed", "unreachable", "later"],
  [
    255,
    "o@nas: Permission denied (publickey).\r\nrsync: connection unexpectedly closed (0 bytes received so far)",
    "login_refused",
    "hold",
  ],
  [255, "Host key verification failed.\r\n", "host_key_unknown", "hold"],
  [255, "", "interrupted", "later"],
  [99, "something new", "interrupted", "later"],
];

for (const [code, stderr, expected, next] of ENDS) {
  Deno.test(`rsyncFailure() takes code ${code}, ${JSON.stringify(stderr.slice(0, 50))} for ${expected}`, () => {
    const failure = rsyncFailure({ code, stderr, signal: null }, nas);
    assertEquals([failure.code, failure.next], [expected, next]);
    assertMatch(failure.message, /nas/);
    assertMatch(failure.hint, /\w/);
  });
}

const VERSIONS: readonly [string, string | null][] = [
  ["rsync  version 3.2.7  protocol version 31", "rsync 3.2.7"],
  ["rsync  version 2.6.9  protocol version 29", "rsync 2.6.9"],
  ["rsync  version v3.4.0pre1  protocol version 32", "rsync 3.4.0"],
  ["openrsync: protocol version 29", "openrsync 2.6.9"],
  ["bash: rsync: command not found", null],
  ["", null],
];

for (const [line, expected] of VERSIONS) {
  Deno.test(`rsyncVersion() reads ${JSON.stringify(line)}`, () => {
    const found = rsyncVersion(line);
    assertEquals(found && `${found.kind} ${found.major}.${found.minor}.${found.patch}`, expected);
  });
}

function pairOf(here: string, there: string) {
  const [a, b] = [rsyncVersion(here), rsyncVersion(there)];
  assert(a && b);
  return rsyncPair(a, b);
}
const NEW = "rsync  version 3.2.7  protocol version 31";
const OLD = "rsync  version 2.6.9  protocol version 29";
const OPEN = "openrsync: protocol version 29";

Deno.test("rsyncPair() falls back to what both ends can", () => {
  assertEquals(pairOf(NEW, NEW)?.protectsArgs, true);
  assertEquals(pairOf(NEW, OLD)?.protectsArgs, false);
  assertEquals(pairOf(OPEN, NEW)?.readsNames, false);
  assertEquals(pairOf("rsync  version 2.5.7  protocol version 26", NEW), null);
});

function argsOf(here: string, there: string, basePath: string, resumes = false) {
  const pair = pairOf(here, there);
  assert(pair);
  const destination = aServer("rsync", { host: "nas", rsyncOptions: ["--archive"] }, { basePath });
  return rsyncArgs({ destination, pair, shell: "ssh", remotePath: "/usr/bin/rsync", into: ".it/a1", resumes, limit: 1 << 20 });
}

Deno.test("rsyncArgs() never writes in place, never trusts a part, and lets our options win", () => {
  const fresh = argsOf(NEW, NEW, "/data");
  assertEquals(fresh[0], "--archive");
  assertEquals(fresh.slice(-3), ["--", "./", "nas:/data/.it/a1/."]);
  assert(fresh.includes("-W") && fresh.includes("--bwlimit=1024") && !fresh.includes("--inplace"));
  const resumed = argsOf(NEW, NEW, "/data", true);
  assert(resumed.includes("--no-whole-file") && resumed.includes("-I") && !resumed.includes("-W"));
});

Deno.test("rsyncArgs() keeps a base path from the remote shell in the way that both ends know", () => {
  const path = "/data/$(touch x) 'a";
  assertEquals(argsOf(NEW, NEW, path).includes("-s"), true);
  assertEquals(argsOf(NEW, NEW, path).at(-1), `nas:${path}/.it/a1/.`);
  assertEquals(argsOf(NEW, OLD, path).includes("--old-args"), true);
  assertEquals(argsOf(OLD, OLD, path).at(-1), `nas:'/data/$(touch x) '\\''a/.it/a1/.'`);
});

Deno.test("rsyncProgress() tells how far which file is, however the output is cut", () => {
  const output =
    "a1/\na1/1\n         32,768   3%    1.00MB/s    0:00:01\r      1,000,000 100%    2.00MB/s    0:00:00 (xfr#1, to-chk=1/3)\n" +
    "a1/22\n              5 100%    4.88kB/s    0:00:00 (xfr#2, to-chk=0/3)\n";
  for (const length of [1, 7, 1000]) {
    const told: [string, number][] = [];
    const take = rsyncProgress(new Set(["1", "22"]), (name, bytes) => told.push([name, bytes]));
    for (let at = 0; at < output.length; at += length) take(output.slice(at, at + length));
    assertEquals(told, [["1", 32768], ["1", 1_000_000], ["22", 5]]);
  }
});

const uploads = [1, 2, 3].map((number) => ({
  staged: `.it/a1/${number}`,
  source: { job: "j", path: `${number}.fits`, absolutePath: `/w/${number}.fits`, size: 1, mtimeMs: 0, ctimeMs: 0, identity: "" },
}));

Deno.test("rsyncFileFailures() names the sources that were left out, and why", () => {
  const stderr = 'rsync: [sender] send_files failed to open "/links/x/a1/1": Permission denied (13)\n' +
    'symlink has no referent: "/links/x/a1/2"\nfile has vanished: "/links/x/a1/3"\n' +
    "rsync error: some files/attrs were not transferred (see previous errors) (code 23) at main.c(1338) [sender=3.2.7]\n";
  const codes = [...rsyncFileFailures(stderr, uploads, nas)].map(([name, failure]) => [name, failure.code]);
  assertEquals(codes, [["1", "source_unreadable"], ["2", "source_gone"], ["3", "source_gone"]]);
});

Deno.test("rsyncFileFailures() passes over times and modes that the file system there does not keep", () => {
  const stderr = 'rsync: [receiver] failed to set permissions on "/d/.it/a1/.1.Abcdef": Operation not permitted (1)\n' +
    'rsync: [generator] failed to set times on "/d/.it/a1/1": Operation not permitted (1)\n';
  assertEquals(rsyncFileFailures(stderr, uploads, nas).size, 0);
});

Deno.test("rsyncFileFailures() throws what is the destination's fault", () => {
  const stderr = 'rsync: [receiver] mkstemp "/d/.it/a1/.1.Abcdef" failed: No space left on device (28)\n';
  assertEquals(assertThrows(() => rsyncFileFailures(stderr, uploads, nas), Failure).code, "disk_full");
});
