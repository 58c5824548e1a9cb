import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { lab, until } from "./lab.ts";
import { HOME, type Machine, startMachine } from "./systemd_machine.ts";

const script = lab("systemd.sh");
/** Two cameras on one computer, each with a service of its own. */
const NAMES = ["camera-a", "camera-b"] as const;
type Name = (typeof NAMES)[number];

const at = (name: Name, what: string) => `${HOME}/${name}/${what}`;

Deno.test("several services side by side on a machine with systemd", { ignore: script === null }, async (t) => {
  await using machine = await startMachine(script!);
  const { sh, observer } = machine;
  const pidOf = async (name: Name) => (await sh(`systemctl show -p MainPID --value ${name}.service`)).trim();
  const before = await machine.files();
  const step = async (name: string, act: () => Promise<void>) => {
    if (!await t.step(name, act)) throw new Error(`${name}: failed`);
  };

  await step("install: each has a unit, a process, a state folder and a configuration of its own", async () => {
    for (const name of NAMES) {
      await configure(machine, name);
      const said = await sh(`SUDO_USER=observer ${install(name)}`);
      assertMatch(said, new RegExp(`${name}\\.service is running as observer: process \\d+, version`));
      assertStringIncludes(said, at(name, "images"));
    }
    const [a, b] = [await pidOf("camera-a"), await pidOf("camera-b")];
    assert(a !== b && a !== "0" && b !== "0", `${a} ${b}`);
    for (const name of NAMES) assertEquals((await sh(`stat -c %U:%a /var/lib/${name}`)).trim(), "observer:700");
  });

  await step("each delivers the images of its own camera, and no other", async () => {
    await expose(machine, "camera-a", "one");
    await expose(machine, "camera-b", "two");
    await arrives(machine, "camera-a", "one");
    await arrives(machine, "camera-b", "two");
    for (const name of NAMES) assertEquals((await sh(`ls ${at(name, "arrived")} | wc -l`)).trim(), "1");
  });

  await step("service logs --name shows the lines of that one, with -f also those to come", async () => {
    assertMatch(await sh("/mnt/it/image-transfer service logs --name camera-a"), /one\.fits/);
    const other = await sh("/mnt/it/image-transfer service logs --name camera-b");
    assertEquals([/two\.fits/.test(other), /one\.fits/.test(other)], [true, false]);
    await sh(
      "(timeout 60 /mnt/it/image-transfer service logs -f -n 1 --name camera-a > /tmp/followed 2>&1 & echo $! > /tmp/follower)",
    );
    await expose(machine, "camera-b", "four");
    await expose(machine, "camera-a", "three");
    const followed = () => sh("cat /tmp/followed");
    await until("the new line is shown", async () => /Successfully transferred .*three\.fits/.test(await followed()), followed);
    assertEquals(/four\.fits/.test(await followed()), false);
    // Ctrl+C is how a person ends it.
    await sh("kill -INT $(pgrep -P $(cat /tmp/follower) || cat /tmp/follower)");
    await until("it ends", async () => (await machine.try("pgrep -f '[s]ervice logs -f'")).code !== 0, followed);
  });

  await step("service stop --name stops that one; the other goes on with the same process", async () => {
    const other = await pidOf("camera-b");
    await sh("/mnt/it/image-transfer service stop --name camera-a");
    assertEquals([await pidOf("camera-a"), await pidOf("camera-b")], ["0", other]);
    await sh("/mnt/it/image-transfer service start --name camera-a");
    assertMatch(await sh("/mnt/it/image-transfer service status --name camera-a"), /The daemon is running: process/);
  });

  await step("status with a configuration asks the service that has it", async () => {
    for (const name of NAMES) {
      const { pid } = JSON.parse(await observer(`/mnt/it/image-transfer status --json -c ${at(name, "config.yaml")}`));
      assertEquals(String(pid), await pidOf(name));
    }
  });

  await step("root asks about all of them, and each in its own account", async () => {
    const said = await sh("/mnt/it/image-transfer status");
    for (const name of NAMES) assertStringIncludes(said, `Service ${name}, configuration ${at(name, "config.yaml")}\n`);
    assertEquals([said.includes("NOT RUNNING"), said.match(/watches/g)?.length], [false, 2], said);
    for (const name of NAMES) {
      assertStringIncludes(await sh(`/mnt/it/image-transfer doctor -c ${at(name, "config.yaml")}`), "All is well");
      assertEquals(await sh(`find /var/lib/${name} -user root`), "");
    }
  });

  await step("uninstalling one leaves the other as it is, and nothing of itself", async () => {
    const other = await pidOf("camera-b");
    await sh("/mnt/it/image-transfer uninstall-service --name camera-a --purge");
    assertEquals((await machine.try("systemctl cat camera-a.service")).code, 1);
    assertEquals((await machine.files()).filter((path) => path.includes("camera-a") && !path.startsWith(HOME)), []);
    assertEquals(await pidOf("camera-b"), other);
    await expose(machine, "camera-b", "five");
    await arrives(machine, "camera-b", "five");
    assertMatch(await sh("/mnt/it/image-transfer service status --name camera-b"), /The daemon is running: process/);
  });

  await step("uninstalling the last one takes everything away", async () => {
    await sh("/mnt/it/image-transfer uninstall-service --name camera-b --purge");
    assertEquals((await machine.files()).filter((path) => !before.includes(path) && !path.startsWith(`${HOME}/camera-`)), []);
  });
});

function install(name: Name): string {
  return `/mnt/it/image-transfer install-service --name ${name} --config ${at(name, "config.yaml")}`;
}

async function configure({ observer }: Machine, name: Name): Promise<void> {
  const config = {
    watch_path: at(name, "images"),
    transfer_method: "local",
    remote_base_path: at(name, "arrived"),
    minimum_free_space_gb: 0,
    log_directory: at(name, "logs"),
    web: false,
  };
  await observer(
    `mkdir -p ${at(name, "images")} ${at(name, "arrived")}; echo '${JSON.stringify(config)}' > ${at(name, "config.yaml")}`,
  );
}

async function expose({ observer }: Machine, name: Name, image: string): Promise<void> {
  await observer(`echo ${image} > ${at(name, "images")}/${image}.fits`);
}

async function arrives({ sh, try: attempt }: Machine, name: Name, image: string): Promise<void> {
  const path = `${at(name, "arrived")}/${image}.fits`;
  await until(
    `${path} arrives`,
    async () => (await attempt(`cat ${path}`)).stdout === `${image}\n`,
    () => sh(`journalctl --no-pager -n 40 -u ${name}`),
  );
}
