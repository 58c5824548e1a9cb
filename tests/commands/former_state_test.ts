/** What install-service does about earlier runs: their ledger, a daemon that still runs, another service of the same configuration. */
import { assertEquals, assertMatch, assertRejects, assertStringIncludes } from "@std/assert";
import { takeOver } from "../../src/commands/install_service.ts";
import { rememberState } from "../../src/config/read/find_config.ts";
import { Failure } from "../../src/domain/failure.ts";
import { openLedger } from "../../src/ledger/sqlite/open_ledger.ts";
import { createSystem } from "../../src/system/create_system.ts";
import type { System } from "../../src/system/system.ts";
import { addService, computer, observatory } from "../support/services.ts";
import type { TempFolder } from "../support/temp.ts";
import { called, testTools } from "../support/tools.ts";
import { fakeDaemon } from "../web/fake_daemon.ts";

const ignore = Deno.build.os !== "linux";
const USUAL = "observer/.local/state/image-transfer";
const UNIT = "etc/systemd/system/image-transfer.service";

/** The ledger that runs with the configuration leave at a place. */
async function ledger(dir: TempFolder, ...at: string[]): Promise<void> {
  for (const place of at) {
    openLedger(dir.at(place))[Symbol.dispose]();
    const stateDirectory = place.startsWith("observer") ? dir.at(place) : `/${place}`;
    await rememberState({ file: dir.at("c.yaml"), stateDirectory }, dir.at(place), createSystem());
  }
}

async function install(dir: TempFolder, words: readonly string[] = [], system: Partial<System> = {}) {
  const tools = testTools(dir.path, { system: { ...computer(dir), ...system } });
  const { code, stdout, stderr } = await called(["install-service", ...words, "-c", "c.yaml"], tools);
  return { code, stdout, stderr: stderr.replaceAll(dir.path, "") };
}

/** Which state folder the unit says. */
async function stateOf(dir: TempFolder, ...words: string[]): Promise<{ state: string | undefined; stderr: string }> {
  const { stdout, stderr } = await install(dir, ["--dry-run", ...words]);
  const [, given, former] = /^(?:StateDirectory=(.+)|Environment=STATE_DIRECTORY=(.+))$/m.exec(stdout) ?? [];
  if (former !== undefined) assertStringIncludes(stdout, `ReadWritePaths=-${former}\n`);
  return { state: former?.replace(dir.path, "") ?? given, stderr };
}

Deno.test(
  "install-service continues with the ledger of earlier runs, and says so; without one, or with one of its own, the manager makes it",
  { ignore },
  async () => {
    await using dir = await observatory();
    assertEquals(await stateOf(dir), { state: "image-transfer", stderr: "" });
    await ledger(dir, USUAL);
    const said = `The service continues with the ledger of earlier runs in /${USUAL}\n`;
    assertEquals(await stateOf(dir), { state: `/${USUAL}`, stderr: said });
    await ledger(dir, "var/lib/image-transfer");
    await Deno.chmod(dir.at("var/lib/image-transfer"), 0o755);
    assertEquals(await stateOf(dir), { state: "image-transfer", stderr: "" });
  },
);

Deno.test("install-service with state_directory in the configuration leaves the ledger to it", { ignore }, async () => {
  await using dir = await observatory();
  await ledger(dir, USUAL);
  const config = JSON.parse(await dir.read("c.yaml"));
  await dir.write("c.yaml", JSON.stringify({ ...config, state_directory: dir.at("state") }));
  assertEquals(await stateOf(dir), { state: "image-transfer", stderr: "" });
});

Deno.test(
  "install-service under another name continues with the ledger of the service that was removed",
  { ignore },
  async () => {
    await using dir = await observatory();
    await ledger(dir, USUAL, "var/lib/camera-a");
    const { state } = await stateOf(dir, "--name", "camera-b");
    assertEquals(state, "/var/lib/camera-a");
  },
);

Deno.test(
  "install-service leaves a ledger that another service has to it, and says that this one is empty",
  { ignore },
  async () => {
    await using dir = await observatory();
    await ledger(dir, USUAL);
    await addService(dir, { name: "camera-a", config: "/other.yaml", state: dir.at(USUAL) });
    const { state, stderr } = await stateOf(dir);
    assertEquals(state, "image-transfer");
    assertMatch(stderr, /^Warning: earlier runs used the ledger that camera-a\.service has now\. .* an empty one\.\n$/);
  },
);

Deno.test("install-service moves the ledger of root's own runs to where the service has it, and says so; if it cannot, how to", {
  ignore,
}, async () => {
  await using dir = await observatory();
  await ledger(dir, "root/.local/state/image-transfer");
  const passwd = `observer:x:${Deno.uid()! + 1}:0::${dir.at("observer")}:/bin/sh\n`;
  const run = () => Promise.resolve({ code: 0, signal: null, stdout: passwd, stderr: "" });
  const asRoot = { run, uid: Deno.uid() };
  const { stdout, stderr } = await install(dir, ["--system", "--dry-run"], asRoot);
  assertStringIncludes(
    stderr,
    "ledger of earlier runs in /root/.local/state/image-transfer, which moves to /var/lib/image-transfer: root ran it, and the service runs as observer",
  );
  assertMatch(stdout, /^StateDirectory=image-transfer$/m);
  assertEquals(await exists(dir.at("root/.local/state/image-transfer/ledger.sqlite")), true);

  const [from, to] = [dir.at("root/.local/state/image-transfer"), dir.at("var/lib/image-transfer")];
  const tools = testTools(dir.path, {});
  const account = { name: "observer", uid: 1000, home: "/home/observer" };
  await dir.write("var/lib/image-transfer/note", "");
  const failure = await assertRejects(
    () => takeOver({ state: from, owner: "root" }, to, account, tools),
    Failure,
    "cannot move",
  );
  assertStringIncludes(failure.hint, `sudo mv -T ${from} ${to} && sudo chown -R observer ${to}; then install again`);
  await Deno.remove(dir.at("var/lib/image-transfer/note"));
  await takeOver({ state: from, owner: "root" }, to, account, tools);
  assertEquals([await exists(from), await exists(`${to}/ledger.sqlite`)], [false, true]);
});

const exists = (path: string) => Deno.lstat(path).then(() => true, () => false);

Deno.test("install-service refuses while a daemon runs with that ledger, and installs nothing", { ignore }, async () => {
  await using dir = await observatory();
  await ledger(dir, USUAL);
  await using _daemon = await fakeDaemon(dir.at(USUAL));
  const { code, stderr } = await install(dir);
  assertEquals(code, 3);
  assertStringIncludes(stderr, `image-transfer is running already (process ${Deno.pid})`);
  assertStringIncludes(stderr, "Stop it first (Ctrl+C where it runs, or image-transfer stop), then install again");
  await assertRejects(() => dir.read(UNIT), Deno.errors.NotFound);
});

Deno.test(
  "install-service with launchd refuses while a daemon runs, too: it would pass for the service",
  { ignore },
  async () => {
    await using dir = await observatory();
    const state_directory = dir.at("observer/Library/Application Support/image-transfer");
    await dir.write("c.yaml", JSON.stringify({ ...JSON.parse(await dir.read("c.yaml")), state_directory }));
    await Deno.mkdir(state_directory, { recursive: true });
    await using _daemon = await fakeDaemon(state_directory);
    const stdout = `observer:x:501:0::0:0::${dir.at("observer")}:/bin/sh\n`;
    const run = () => Promise.resolve({ code: 0, signal: null, stdout, stderr: "" });
    const { code, stderr } = await install(dir, [], { platform: "darwin", uid: 501, home: dir.at("observer"), run });
    assertEquals(code, 3);
    assertStringIncludes(stderr, "image-transfer is running already");
  },
);

Deno.test(
  "install-service refuses a second service with the same configuration, of the computer or of the account",
  { ignore },
  async () => {
    await using dir = await observatory();
    await addService(dir, { name: "camera-a", config: dir.at("c.yaml"), state: "/var/lib/camera-a" });
    const failure = await assertRejects(() => install(dir), Failure, "camera-a.service has the same configuration");
    assertStringIncludes(failure.hint, "sudo image-transfer uninstall-service --system --name camera-a");
    await Deno.mkdir(dir.at("observer/.config/systemd/user"), { recursive: true });
    await Deno.rename(
      dir.at("etc/systemd/system/camera-a.service"),
      dir.at("observer/.config/systemd/user/image-transfer.service"),
    );
    const own = await assertRejects(() => install(dir), Failure, "image-transfer.service has the same configuration");
    assertStringIncludes(own.hint, "Uninstall it first: image-transfer uninstall-service --user.");
  },
);
