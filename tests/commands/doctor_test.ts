import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { openLedger } from "../../src/ledger/sqlite/open_ledger.ts";
import { install } from "../support/daemon_process.ts";
import { has } from "../support/needs.ts";
import { stagingRemains } from "../support/observer.ts";
import { startSshd } from "../support/sshd.ts";
import { tempFolder } from "../support/temp.ts";

const SSH = !has("sshd");

/** An installation with one destination at the server. */
async function over(
  server: { host: string; env: Readonly<Record<string, string>> },
  folder: { path: string; at(name: string): string },
) {
  await Deno.mkdir(folder.at("camera"));
  const there = folder.at("archive");
  const config = {
    watch_path: folder.at("camera"),
    remote_host: server.host,
    remote_base_path: there,
    transfer_method: "sftp",
    minimum_free_space_gb: 0,
  };
  return { there, installation: await install(folder.path, config, server.env) };
}

Deno.test("doctor tries the whole way and leaves nothing at the destination", { ignore: SSH }, async () => {
  await using folder = await tempFolder();
  await using server = await startSshd();
  const { there, installation } = await over(server, folder);
  const { code, stdout, stderr } = await installation.command(["doctor"]);
  assertEquals(code, 0, stdout + stderr);
  assertStringIncludes(stdout, "A small file was written, flushed, hashed, renamed, read and removed there");
  assertStringIncludes(stdout, `"${there}", did not exist: created.`);
  const again = await installation.command(["doctor"]);
  assertStringIncludes(again.stdout, "All is well.");
  assertEquals(await Array.fromAsync(Deno.readDir(there)), []);
  assertEquals(await stagingRemains(there), []);
});

Deno.test("doctor names a refused login, with the fix, and exits 1", { ignore: SSH }, async () => {
  await using folder = await tempFolder();
  await using server = await startSshd();
  await server.revokeKey();
  const { installation } = await over(server, folder);
  const { code, stdout } = await installation.command(["doctor", "--json"]);
  assertEquals(code, 1);
  const faults = JSON.parse(stdout).filter(({ level }: { level: string }) => level === "fault");
  assertEquals(faults.map((fault: { code: string }) => fault.code), ["login_refused"]);
  assertMatch(faults[0].hint, /authorized_keys/);
});

Deno.test("doctor says how to make a key where a login is refused and this account has none", { ignore: SSH }, async () => {
  await using folder = await tempFolder();
  await using server = await startSshd();
  const { installation } = await over(server, folder);
  await Deno.remove(server.identityFile);
  const { code, stdout } = await installation.command(["doctor"], { SSH_AUTH_SOCK: "" });
  assertEquals(code, 1);
  assertMatch(stdout, /has no ssh key: create one with `ssh-keygen -t ed25519`.*`ssh-copy-id/);
});

Deno.test("doctor --enroll adds an unknown host key only when its fingerprint is the accepted one", { ignore: SSH }, async () => {
  await using folder = await tempFolder();
  await using server = await startSshd();
  const { installation } = await over(server, folder);
  await Deno.writeTextFile(server.knownHosts, "");
  assertMatch((await installation.command(["doctor"])).stdout, /host key is not known.*\n.*doctor --enroll/);

  const nobody = await installation.command(["doctor", "--enroll"]);
  assertEquals(nobody.code, 1);
  const fingerprint = /SHA256:\S+/.exec(nobody.stderr)?.[0];
  assert(fingerprint, nobody.stderr);
  assertStringIncludes(nobody.stdout, `doctor --enroll --accept ${fingerprint}`);
  assertEquals(await Deno.readTextFile(server.knownHosts), "");

  assertEquals((await installation.command(["doctor", "--enroll", "--accept", "SHA256:wrong"])).code, 1);
  assertEquals(await Deno.readTextFile(server.knownHosts), "");

  const right = await installation.command(["doctor", "--enroll", "--accept", fingerprint]);
  assertEquals(right.code, 0, right.stdout + right.stderr);
  assertMatch(await Deno.readTextFile(server.knownHosts), /ssh-ed25519/);
});

Deno.test("doctor --enroll never replaces a key that has changed", { ignore: SSH }, async () => {
  await using folder = await tempFolder();
  await using server = await startSshd();
  const { installation } = await over(server, folder);
  await server.changeHostKey();
  const before = await Deno.readTextFile(server.knownHosts);
  const { code, stdout } = await installation.command(["doctor", "--enroll"]);
  assertEquals(code, 1);
  assertMatch(stdout, /host key has changed[\s\S]*ssh-keygen -f [^`]* -R/);
  assertEquals(await Deno.readTextFile(server.knownHosts), before);
});

Deno.test("doctor does not make a folder anew that was there before: its disk is not mounted", async () => {
  await using folder = await tempFolder();
  await Deno.mkdir(folder.at("camera"));
  await Deno.writeTextFile(folder.at("camera/a.txt"), "a");
  const config = {
    watch_path: folder.at("camera"),
    file_patterns: ["*.txt"],
    transfer_method: "local",
    remote_base_path: folder.at("nas"),
    minimum_free_space_gb: 0,
    min_file_age_seconds: 0,
  };
  const installation = await install(folder.path, config);
  assertEquals((await installation.command(["run", "--once"])).code, 0);
  await Deno.remove(folder.at("nas"), { recursive: true });
  const { code, stdout } = await installation.command(["doctor", "--json"]);
  assertEquals(code, 1);
  assertStringIncludes(stdout, '"device_missing"');
  assertEquals(
    await Array.fromAsync(Deno.readDir(folder.path)).then((entries) => entries.some(({ name }) => name === "nas")),
    false,
  );
});

Deno.test("verify finds at the destination what is missing and what differs", async () => {
  await using folder = await tempFolder();
  for (const name of ["a", "b", "c"]) await folder.write(`camera/${name}.txt`, name);
  const config = {
    watch_path: folder.at("camera"),
    file_patterns: ["*.txt"],
    transfer_method: "local",
    remote_base_path: folder.at("nas"),
    minimum_free_space_gb: 0,
    min_file_age_seconds: 0,
  };
  const installation = await install(folder.path, config);
  assertEquals((await installation.command(["run", "--once"])).code, 0);
  const sound = await installation.command(["verify"]);
  assertEquals([sound.code, sound.stdout, sound.stderr], [0, "", "3 checked, 3 equal, 0 not\n"]);

  await Deno.remove(folder.at("nas/a.txt"));
  await Deno.writeTextFile(folder.at("nas/b.txt"), "B");
  const { code, stdout } = await installation.command(["verify", "--json"]);
  assertEquals(code, 1);
  const verdicts = JSON.parse(stdout).map(({ target, verdict }: { target: string; verdict: string }) => `${target} ${verdict}`);
  assertEquals(verdicts.sort(), ["a.txt missing", "b.txt differs", "c.txt equal"]);
});

Deno.test("verify calls a file whose size alone was recorded unproven, and that is no fault", async () => {
  await using folder = await tempFolder();
  await folder.write("camera/a.txt", "a");
  const installation = await install(folder.path, {
    watch_path: folder.at("camera"),
    file_patterns: ["*.txt"],
    transfer_method: "local",
    remote_base_path: folder.at("nas"),
    minimum_free_space_gb: 0,
    min_file_age_seconds: 0,
    verify_transfer: "size",
  });
  assertEquals((await installation.command(["run", "--once"])).code, 0);
  const { code, stdout, stderr } = await installation.command(["verify"]);
  assertEquals([code, stderr], [0, "1 checked, 0 equal, 0 not, 1 by size only\n"]);
  assertStringIncludes(stdout, "unproven local  a.txt: no hash was recorded");
});

Deno.test("doctor knows a disk again by its files where its device has another name after a reboot, and no other disk", async () => {
  await using folder = await tempFolder();
  const installation = await install(folder.path, {
    watch_path: folder.at("camera"),
    file_patterns: ["*"],
    destinations: [{ name: "nas", transfer_method: "local", remote_base_path: folder.at("nas") }],
    minimum_free_space_gb: 0,
    copy_safety_margin_gb: 0,
  });
  await folder.write("camera/b.txt", "beta");
  assertEquals((await installation.command(["run", "--once"])).code, 0);
  {
    using ledger = openLedger(installation.stateFolder);
    ledger.rememberDevice("default", "nas", "before-the-reboot");
  }
  const same = await installation.command(["doctor"]);
  assertEquals(same.code, 0, same.stdout);
  await Deno.remove(folder.at("nas/b.txt"));
  const other = await installation.command(["doctor"]);
  assertEquals(other.code, 1, other.stdout);
  assertStringIncludes(other.stdout, "is on a different disk");
});
