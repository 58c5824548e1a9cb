/** Which service a command of root means, and which account it runs as. */
import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { stripAnsiCode } from "@std/fmt/colors";
import { Failure } from "../../src/domain/failure.ts";
import { openLedger } from "../../src/ledger/sqlite/open_ledger.ts";
import type { System } from "../../src/system/system.ts";
import { anAdmission, NOW, proven } from "../ledger/makers.ts";
import { addService, computer, observatory } from "../support/services.ts";
import type { TempFolder } from "../support/temp.ts";
import { called, springConfig, testTools } from "../support/tools.ts";
import { fakeDaemon } from "../web/fake_daemon.ts";

const ignore = Deno.build.os !== "linux";

async function call(dir: TempFolder, words: readonly string[], changes: Partial<System> = {}) {
  const lent: string[] = [];
  const system: Partial<System> = {
    ...computer(dir),
    run: ({ args }) => {
      const stdout = args[0] === "passwd" ? `${args[1]}:x:4321:0::${dir.at(args[1]!)}:/bin/sh\n` : "";
      return Promise.resolve({ code: 0, signal: null, stdout, stderr: "" });
    },
    lend: (program, args) => Promise.resolve(lent.push([program, ...args].join(" ").replaceAll(dir.path, "")) + 4),
    ...changes,
  };
  const tools = { ...testTools(dir.path, { system }), argv: words };
  const { code } = await called(words, tools);
  const [stdout, stderr] = [tools.printed.stdout, tools.printed.stderr].map((text) =>
    stripAnsiCode(text).replaceAll(dir.path, "")
  );
  return { code, lent, stdout: stdout!, stderr: stderr! };
}

const AS = (account: string) =>
  `runuser -u ${account} -- env -i HOME=/${account} USER=${account} PATH=/usr/local/bin:/usr/bin:/bin env`;

Deno.test(
  "doctor, verify and report of root run as the account of the service, with its configuration and state",
  { ignore },
  async () => {
    await using dir = await observatory();
    await addService(dir, { name: "camera-a", config: dir.at("c.yaml"), state: "/var/lib/camera-a", account: "camera" });
    const given = "STATE_DIRECTORY=/var/lib/camera-a IMAGE_TRANSFER_CONFIG=/c.yaml";
    for (const words of [["doctor", "--json"], ["verify", "--retry"], ["report", "--deep"]]) {
      const { code, lent, stderr } = await call(dir, words);
      assertEquals(lent, [`${AS("camera")} ${given} /download ${words.join(" ")}`]);
      assertEquals([code, stderr], [5, "As camera, which runs the service:\n"]);
    }
    const named = await call(dir, ["doctor", "-c", dir.at("c.yaml")]);
    assertEquals(named.lent, [`${AS("camera")} STATE_DIRECTORY=/var/lib/camera-a /download doctor -c /c.yaml`]);
    const fromSource = await call(dir, ["doctor"], { compiled: false });
    assertEquals(fromSource.lent, [`${AS("camera")} ${given} /p doctor`]);
  },
);

Deno.test("doctor of root runs as the user behind sudo where no service is installed", { ignore }, async () => {
  await using dir = await observatory();
  const { lent, stderr } = await call(dir, ["doctor"]);
  assertEquals(lent, [`${AS("observer")} /download doctor`]);
  assertEquals(stderr, "As observer, which would run the service:\n");
  const { lent: other } = await call(dir, ["doctor", "-c", dir.at("c.yaml")]);
  assertEquals(other, [`${AS("observer")} /download doctor -c /c.yaml`]);
  const run: System["run"] = ({ args }) => {
    const line = `observer:x:4321:0::${dir.at("observer")}:/bin/sh\n`;
    return Promise.resolve({ code: args.includes("test") ? 1 : 0, signal: null, stdout: line, stderr: "" });
  };
  const failure = await assertRejects(() => call(dir, ["doctor"], { run }), Failure, "observer cannot start");
  assertStringIncludes(failure.hint, "Copy the program to /usr/local/bin");
});

Deno.test("doctor of root looks at one of several services: that with the usual name, or it asks for the configuration", {
  ignore,
}, async () => {
  await using dir = await observatory();
  for (const name of ["camera-a", "camera-b"]) {
    await addService(dir, { name, config: `/${name}.yaml`, state: `/var/lib/${name}` });
  }
  const failure = await assertRejects(() => call(dir, ["doctor"]), Failure, "2 services are installed");
  assertStringIncludes(failure.hint, "-c /camera-a.yaml (camera-a), -c /camera-b.yaml (camera-b)");
  await addService(dir, { name: "image-transfer", config: "/usual.yaml", state: "/var/lib/image-transfer" });
  assertStringIncludes((await call(dir, ["doctor"])).lent[0]!, "IMAGE_TRANSFER_CONFIG=/usual.yaml");
});

Deno.test("a service of the user behind sudo is known to root, but only for that user's account", { ignore }, async () => {
  await using dir = await observatory();
  const folder = "observer/.config/systemd/user";
  await addService(dir, { name: "mine", config: "/mine.yaml", state: dir.at("observer/state"), folder });
  await addService(dir, { name: "theirs", config: "/theirs.yaml", state: "/var/lib/theirs", folder, account: "admin" });
  const { lent } = await call(dir, ["doctor"]);
  assertEquals(lent, [`${AS("observer")} STATE_DIRECTORY=/observer/state IMAGE_TRANSFER_CONFIG=/mine.yaml /download doctor`]);
});

async function twoServices(): Promise<TempFolder> {
  const dir = await observatory();
  for (const name of ["camera-a", "camera-b"]) {
    await dir.write(`${name}.yaml`, springConfig(dir).replace(dir.at("state"), dir.at(name)).replaceAll("spring", name));
    await Deno.mkdir(dir.at(name));
    await addService(dir, { name, config: dir.at(`${name}.yaml`), state: dir.at(name) });
  }
  return dir;
}

Deno.test("status of root shows every installed service, whatever its name; the exit code is the worst", { ignore }, async () => {
  await using dir = await twoServices();
  await using _a = await fakeDaemon(dir.at("camera-a"));
  const one = await call(dir, ["status"]);
  assertEquals(one.code, 4);
  assertStringIncludes(one.stdout, "Service camera-a, configuration /camera-a.yaml\n");
  assertStringIncludes(one.stdout, "Service camera-b, configuration /camera-b.yaml\n");
  assertStringIncludes(one.stderr, 'No daemon is running with the state directory "/camera-b".\n');
  assertStringIncludes(one.stderr, "Start it: image-transfer service start --name camera-b\n");
  assertEquals(one.stderr.includes("/camera-a"), false, one.stderr);
  await using _b = await fakeDaemon(dir.at("camera-b"));
  assertEquals((await call(dir, ["status"])).code, 0);
  await assertRejects(() => call(dir, ["status", "--json"]), Failure, "2 services are installed");
  const named = await call(dir, ["status", "--json", "-c", dir.at("camera-b.yaml")]);
  assertEquals([named.code, JSON.parse(named.stdout).running], [0, true]);
});

Deno.test("status finds the only service also where the caller has no configuration of its own; another account's is named", {
  ignore,
}, async () => {
  await using dir = await observatory();
  const service = { name: "camera-a", config: dir.at("c.yaml"), state: dir.at("state") };
  await addService(dir, service);
  await Deno.mkdir(dir.at("state"));
  await dir.write("c.yaml", springConfig(dir));
  await using _daemon = await fakeDaemon(dir.at("state"));
  const json = async (changes: Partial<System>) => JSON.parse((await call(dir, ["status", "--json"], changes)).stdout).running;
  assertEquals(await json({}), true, "root");
  assertEquals(await json({ uid: 4321, home: dir.at("observer") }), true, "the account of the service");
  const guest = await call(dir, ["status"], { uid: 99, home: dir.at("guest") });
  assertEquals(guest.code, 4);
  assertStringIncludes(guest.stderr, "Services of other accounts: camera-a (observer). See: sudo image-transfer status\n");
});

Deno.test("run of root refuses the configuration of a service that another account runs", { ignore }, async () => {
  await using dir = await observatory();
  await addService(dir, { name: "camera-a", config: dir.at("c.yaml"), state: dir.at("state") });
  for (const words of [["run", "-c", dir.at("c.yaml")], ["run", "--once"], ["restart"]]) {
    const failure = await assertRejects(
      () => call(dir, words),
      Failure,
      "Cannot run as root: the service camera-a runs as observer",
    );
    assertStringIncludes(failure.hint, "image-transfer service start --name camera-a");
  }
});

Deno.test("history and stop of root are about the service, whatever its name", { ignore }, async () => {
  await using dir = await observatory();
  await dir.write("c.yaml", springConfig(dir));
  await addService(dir, { name: "camera-a", config: dir.at("c.yaml"), state: dir.at("state") });
  {
    using ledger = openLedger(dir.at("state"));
    ledger.record([proven(ledger.admit([anAdmission("m31.fits")], NOW)[0]!)], NOW);
  }
  assertStringIncludes((await call(dir, ["history"])).stdout, "m31.fits");
  await using _daemon = await fakeDaemon(dir.at("state"));
  const stopped = await call(dir, ["stop"]);
  assertEquals(stopped.code, 0);
  assertStringIncludes(stopped.stderr, "camera-a.service may start it again in a few seconds");
  assertStringIncludes(stopped.stderr, "To keep it stopped: image-transfer service stop --name camera-a\n");
});
