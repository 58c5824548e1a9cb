import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { has } from "../support/needs.ts";
import { startSshd } from "../support/sshd.ts";
import { startProxy } from "../support/tcp_proxy.ts";

const ignore = !has("sshd");

async function ssh(config: string, ...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const done = await new Deno.Command("ssh", {
    args: ["-F", config, "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes", "-o", "ConnectTimeout=5", ...args],
    stdin: "null",
  }).output();
  const text = new TextDecoder();
  return { code: done.code, out: text.decode(done.stdout), err: text.decode(done.stderr) };
}

Deno.test("startSshd() lets us in by alias, by address and through a proxy", { ignore }, async () => {
  await using server = await startSshd();
  await using proxy = startProxy(server.port, { roundTripMs: 10 });
  assertEquals((await ssh(server.sshConfig, server.host, "echo in")).out, "in\n");
  assertEquals((await ssh(server.sshConfig, "-p", String(server.port), "127.0.0.1", "echo in")).out, "in\n");
  assertEquals((await ssh(server.sshConfig, "-p", String(proxy.port), server.host, "echo in")).out, "in\n");
  assertEquals(await server.logins(), 3);
  assert(proxy.counters.up > 1000 && proxy.counters.connections === 1);
});

Deno.test("startSshd() can lack programs, a shell, the right key", { ignore }, async () => {
  await using poor = await startSshd({ without: ["rsync"], instead: { openssl: "#!/bin/sh\necho ours\n" } });
  assertEquals((await ssh(poor.sshConfig, poor.host, "command -v rsync || echo none; openssl")).out, "none\nours\n");
  await using closed = await startSshd({ sftpOnly: true });
  assertEquals((await ssh(closed.sshConfig, closed.host, "echo in")).out.includes("in\n"), false);
  await poor.changeHostKey();
  assertStringIncludes((await ssh(poor.sshConfig, poor.host, "true")).err, "Host key verification failed");
  await closed.revokeKey();
  assertStringIncludes((await ssh(closed.sshConfig, closed.host, "true")).err, "Permission denied (publickey)");
});

Deno.test("freeze() silences open sessions, kill() ends them, restart() comes back on the same port", { ignore }, async () => {
  await using server = await startSshd();
  const session = ssh(server.sshConfig, server.host, "sleep 30; echo never");
  while (await server.logins() === 0) await new Promise((resolve) => setTimeout(resolve, 20));
  await server.freeze();
  assert((await server.states()).every((state) => /^[DTZ]/.test(state)));
  await server.thaw();
  assert(!(await server.states()).some((state) => state.startsWith("T")));
  await server.kill();
  assertEquals((await session).code, 255);
  await server.restart();
  assertEquals((await ssh(server.sshConfig, server.host, "echo back")).out, "back\n");
});
