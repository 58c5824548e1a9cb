import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { BINARY, lab, until } from "./lab.ts";
import { CONFIG, config, HOME, IMAGES, type Machine, startMachine } from "./systemd_machine.ts";

const script = lab("systemd.sh");
const UNIT = "image-transfer.service";
const ARRIVED = `${HOME}/arrived`;
/** Restarts and the watchdog sooner than a user would want, as a drop-in, which an install leaves alone. */
const IMPATIENT = `/etc/systemd/system/${UNIT}.d`;

Deno.test("the binary as a service of a machine with systemd", { ignore: script === null }, async (t) => {
  await using machine = await startMachine(script!);
  const { sh } = machine;
  const mainPid = async () => (await sh(`systemctl show -p MainPID --value ${UNIT}`)).trim();
  const journal = () => sh(`journalctl --no-pager -u ${UNIT} -n 60`);
  const isNew = (former: string) =>
    until("it is started again", async () => !["0", former].includes(await mainPid()), journal, 30);
  const before = await machine.files();
  // What comes after builds upon it: one that fails is the last.
  const step = async (name: string, act: () => Promise<void>) => {
    if (!await t.step(name, act)) throw new Error(`${name}: failed`);
  };

  await step("install: refuses what cannot be, and says what to do", async () => {
    const withoutRights = await machine.try("/mnt/it/image-transfer install-service --system", "observer");
    assertEquals(withoutRights.code, 1);
    assertStringIncludes(withoutRights.stderr, "sudo /mnt/it/image-transfer install-service --system");
    const asRoot = await machine.try("/mnt/it/image-transfer install-service");
    assertEquals(asRoot.code, 2);
    assertStringIncludes(asRoot.stderr, "--run-as");
    assertEquals(await machine.files(), before);
  });

  await step("install --dry-run: prints the unit and changes nothing", async () => {
    assertStringIncludes(await sh("SUDO_USER=observer /mnt/it/image-transfer install-service --dry-run"), "User=observer\n");
    assertEquals(await machine.files(), before);
  });

  await step("install: runs as the user behind sudo, and shows that it does", async () => {
    // As seed 1 has it.
    await sh("ln -s image-transfer /mnt/it/image-transfer-service");
    const said = await sh("SUDO_USER=observer /mnt/it/image-transfer-service --install");
    assertMatch(
      said,
      /image-transfer\.service is running as observer: process \d+, version [\d.]+\n {2}default: watches .*images/,
    );
    assertEquals((await sh(`ps -o user= -p ${await mainPid()}`)).trim(), "observer");
  });

  await step("install again: changes nothing, the same process goes on", async () => {
    const former = await mainPid();
    await sh("SUDO_USER=observer /mnt/it/image-transfer install-service");
    assertEquals(await mainPid(), former);
  });

  await step("install tries the destinations as that user, and tells what is wrong", async () => {
    await sh(`mv ${HOME}/.ssh/known_hosts ${HOME}/.ssh/aside`);
    const { code, stderr } = await machine.try("SUDO_USER=observer /mnt/it/image-transfer install-service");
    await sh(`mv ${HOME}/.ssh/aside ${HOME}/.ssh/known_hosts`);
    assertEquals(code, 0, stderr);
    assertMatch(stderr, /Warning: .*127\.0\.0\.1.*host key/);
  });

  await step("it delivers to the machine's sshd", async () => {
    await machine.expose(0, 5);
    await machine.allArrived(ARRIVED);
  });

  await step("within its sandbox it still sees who has a file open", async () => {
    await machine.expose(9, 1);
    await machine.allArrived(ARRIVED);
    // All that it declares is there, but the camera holds it: opened again, as one that goes on writing headers does.
    await machine.observer(
      `cd '${IMAGES}'; (exec 3>held.tmp; cat m31_9.fits >&3; mv held.tmp held.fits; sleep 6) >/dev/null 2>&1 &`,
    );
    await sh("sleep 4");
    assertEquals((await machine.try(`ls ${ARRIVED}/held.fits`)).code, 2);
    await machine.allArrived(ARRIVED);
  });

  await step("systemd-analyze security gives 1.5 or less", async () => {
    const score = Number(/level for \S+: ([\d.]+)/.exec(await sh(`systemd-analyze security --no-pager ${UNIT}`))?.[1]);
    assert(score <= 1.5, `${score}`);
  });

  await step("kill -9 while it transfers: started again, nothing lost", async () => {
    const lines = "[Service]\\nRestartSec=1\\nWatchdogSec=3\\n";
    await sh(
      `mkdir -p ${IMPATIENT}; printf '${lines}' > ${IMPATIENT}/test.conf; systemctl daemon-reload; systemctl restart ${UNIT}`,
    );
    const former = await mainPid();
    await machine.expose(10, 30, 2_000_000);
    await sh(`kill -9 ${former}`);
    await isNew(former);
    await machine.allArrived(ARRIVED);
  });

  await step("SIGSTOP: the watchdog has it started again, nothing lost", async () => {
    const former = await mainPid();
    await sh(`kill -STOP ${former}`);
    await machine.expose(50, 3);
    await isNew(former);
    await machine.allArrived(ARRIVED);
    assertStringIncludes(await journal(), "Watchdog timeout");
  });

  await step("reload takes a good configuration, and refuses a bad one", async () => {
    const former = await mainPid();
    const write = (text: string) => sh(`cat > ${CONFIG} <<'END'\n${text}\nEND`);
    await write(config({ file_patterns: ["*.fits", "*.raw"], auto_reload: false }));
    await sh(`systemctl reload ${UNIT}`);
    await write(config({ file_patern: "*" }));
    assertEquals((await machine.try(`systemctl reload ${UNIT}`)).code, 1);
    assertStringIncludes(await journal(), "file_patern");
    await write(config());
    await sh(`systemctl reload ${UNIT}`);
    assertEquals(await mainPid(), former);
    await machine.expose(60, 2);
    await machine.allArrived(ARRIVED);
  });

  await step("a newer program is put in place while transfers run", async () => {
    const newer = await machine.bring("newer/image-transfer", await newerProgram());
    const former = await mainPid();
    await machine.expose(70, 30, 2_000_000);
    const said = await sh(`SUDO_USER=observer ${newer} install-service`);
    assertStringIncludes(said, "version 9.9.9");
    assert(await mainPid() !== former);
    await machine.allArrived(ARRIVED);
  });

  await step("a reboot: it is there again, and delivers what came meanwhile", async () => {
    await sh(`systemctl stop ${UNIT}`);
    await machine.expose(110, 3);
    await machine.reboot();
    await sh("systemctl start ssh");
    await machine.allArrived(ARRIVED);
    assertEquals((await sh(`systemctl is-enabled ${UNIT}; systemctl is-active ${UNIT}`)).trim(), "enabled\nactive");
  });

  await step("the commands of seed 1 and our own behave", async () => {
    await sh(`systemctl stop ${UNIT}`);
    assertEquals((await machine.try("image-transfer service status")).code, 4);
    await sh(`systemctl disable ${UNIT}; systemctl enable ${UNIT}; systemctl start ${UNIT}; systemctl restart ${UNIT}`);
    assertStringIncludes(await sh(`systemctl status --no-pager ${UNIT}`), "active (running)");
    assertStringIncludes(await sh(`journalctl --no-pager -u ${UNIT} --since today`), "Successfully transferred");
    await sh("image-transfer service stop; image-transfer-service start");
    assertStringIncludes(await sh("image-transfer service status"), "The daemon is running: process");
    assertMatch(await sh("image-transfer service logs -n 5"), /INFO/);
    // The account that runs it needs no sudo to ask.
    const status = JSON.parse(await machine.observer("image-transfer status --json"));
    assertEquals([status.running, status.deliveries.failed], [true, 0]);
    // Nothing was delivered twice, for all that was done to it.
    const rows = JSON.parse(await machine.observer("image-transfer history --json")) as { state: string; path: string }[];
    assertEquals(new Set(rows.map(({ path }) => path)).size, rows.length);
    assertEquals([...new Set(rows.map(({ state }) => state))], ["delivered"]);
    // systemd undoes this one, so it says what lasts.
    const stopped = await machine.try("image-transfer stop 2>&1", "observer");
    assertEquals([stopped.code, /service stop/.test(stopped.stdout)], [0, true], stopped.stdout);
  });

  await step("uninstall leaves the state, --purge nothing", async () => {
    await sh(`rm -r ${IMPATIENT}`);
    await sh("image-transfer-service --uninstall");
    const left = (await machine.files()).filter((path) => !before.includes(path));
    const ours = left.filter((path) => !path.startsWith("/var/lib/image-transfer") && !path.startsWith(`${HOME}/logs`));
    assertEquals(ours, []);
    assert(left.includes("/var/lib/image-transfer/ledger.sqlite"), left.join("\n"));
    await sh("SUDO_USER=observer /mnt/it/image-transfer install-service; image-transfer uninstall-service --purge");
    assertEquals((await machine.files()).filter((path) => !before.includes(path)), []);
  });

  await step("as a service of the user: no rights needed, there after a reboot, nothing left", async () => {
    await userService(machine, before);
  });

  await step("as a newcomer has it: tried with run, then installed with sudo; nothing is sent twice or forgotten", async () => {
    await newcomer(machine);
  });
});

async function userService(machine: Machine, before: readonly string[]): Promise<void> {
  const { observer } = machine;
  const arrived = `${HOME}/arrived/here`;
  await observer(`cat > ${CONFIG} <<'END'\n${config({ transfer_method: "local", remote_base_path: arrived })}\nEND`);
  assertMatch(
    await observer("/mnt/it/image-transfer install-service"),
    /image-transfer\.service is running as observer: process/,
  );
  await machine.expose(200, 3);
  await machine.allArrived(arrived);
  await machine.reboot();
  await machine.expose(210, 3);
  await machine.allArrived(arrived);
  assertStringIncludes(await observer("systemctl --user status --no-pager image-transfer"), "active (running)");
  assertStringIncludes(await observer(".local/bin/image-transfer service status"), "The daemon is running: process");
  await observer(".local/bin/image-transfer-service --uninstall --purge");
  const ours = (await machine.files()).filter((path) =>
    !before.includes(path) &&
    !/\/\.(local|config)(\/(bin|state|systemd|systemd\/user|systemd\/user\/default\.target\.wants))?$/.test(path)
  );
  assertEquals(ours, []);
}

/** From nothing to a service, with what README says. */
async function newcomer(machine: Machine): Promise<void> {
  const { sh, observer } = machine;
  const program = "/mnt/it/image-transfer";
  await sh("echo 'observer ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/observer; rm -rf /var/lib/image-transfer");
  await observer(`rm -rf ${CONFIG} .local/state arrived/* '${IMAGES}'/*`);
  await observer(`${program} init --watch '${IMAGES}' --to observer@127.0.0.1:${ARRIVED}; ${program} doctor`);
  await observer(`setsid ${program} run > /tmp/ran 2>&1 & echo $! > /tmp/runner`);
  await machine.expose(300, 3);
  await machine.allArrived(ARRIVED);
  // Sorted into folders of one's own, as people do.
  await observer("mkdir sorted; mv arrived/* sorted");

  const early = await machine.try(`sudo ${program} install-service`, "observer");
  assertEquals(early.code, 3, early.stderr);
  assertStringIncludes(early.stderr, "Stop it first (Ctrl+C where it runs, or image-transfer stop), then install again");
  await sh("kill -INT $(cat /tmp/runner)");
  const runs = async () => (await machine.try("kill -0 $(cat /tmp/runner)")).code === 0;
  await until("run ends", async () => !await runs(), () => sh("cat /tmp/ran"));
  const { code, stdout, stderr } = await machine.try(`sudo ${program} install-service`, "observer");
  assertEquals(code, 0, stderr);
  assertStringIncludes(stdout, "image-transfer.service is running as observer");
  assertStringIncludes(stderr, `continues with the ledger of earlier runs in ${HOME}/.local/state/image-transfer\n`);
  await machine.expose(310, 1);
  await until("the new image arrives", async () => (await observer("ls arrived")) !== "", () => sh("journalctl -n 40"));
  assertEquals(await observer("ls arrived"), "m31_310.fits\n");
  const history = JSON.parse(await observer("image-transfer history --json")) as { path: string; state: string }[];
  assertEquals(history.map(({ path, state }) => `${state} ${path.replace(/.*_/, "")}`).toSorted(), [
    "delivered 300.fits",
    "delivered 301.fits",
    "delivered 302.fits",
    "delivered 310.fits",
  ]);

  for (const words of ["doctor", `doctor -c ${CONFIG}`, "verify --night 20010101", "status"]) {
    const asked = await machine.try(`sudo image-transfer ${words}`, "observer");
    assertEquals(asked.code, 0, `${words}: ${asked.stdout}${asked.stderr}`);
  }
  assertMatch(await observer("sudo image-transfer doctor"), new RegExp(`Configuration ${CONFIG}: 1 job[^]*All is well`));
  assertEquals(await sh(`find ${HOME} /var/lib/image-transfer -user root 2>/dev/null || true`), "");
  assertStringIncludes(await observer("image-transfer doctor"), "All is well");
  const again = await observer(`sudo ${program} install-service 2>&1`);
  assertStringIncludes(again, `continues with the ledger of earlier runs in ${HOME}/.local/state/image-transfer\n`);
}

/** Another program: the same with another version in it. */
async function newerProgram(): Promise<Uint8Array> {
  const bytes = await Deno.readFile(BINARY);
  const [version, newer] = [JSON.parse(await Deno.readTextFile(new URL("../../deno.json", import.meta.url))).version, "9.9.9"];
  const text = new TextEncoder();
  const [from, to] = [text.encode(`"${version}"`), text.encode(`"${newer}"`)];
  assertEquals(from.length, to.length);
  for (let at = find(bytes, from, 0); at >= 0; at = find(bytes, from, at + 1)) bytes.set(to, at);
  return bytes;
}

function find(bytes: Uint8Array, what: Uint8Array, from: number): number {
  for (let at = bytes.indexOf(what[0]!, from); at >= 0; at = bytes.indexOf(what[0]!, at + 1)) {
    if (what.every((byte, offset) => bytes[at + offset] === byte)) return at;
  }
  return -1;
}
