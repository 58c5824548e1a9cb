import { assert, assertEquals } from "@std/assert";
import { workFolder } from "../../src/daemon/state_directory.ts";
import { createSystem } from "../../src/system/create_system.ts";
import { needs } from "../support/needs.ts";
import { tempFolder } from "../support/temp.ts";

Deno.test("workFolder() gives a folder of its own, removes a former process's, and goes away", async () => {
  await using state = await tempFolder();
  const system = createSystem();
  const instance = `test${crypto.randomUUID().slice(0, 8)}`;
  const former = await workFolder(state.path, instance, system);
  await former[Symbol.asyncDispose]();
  await system.makeFolder(former.path, 0o700);
  await system.writeText(`${former.path}/link`, "left by a crash");
  let path: string;
  {
    await using work = await workFolder(state.path, instance, system);
    path = work.path;
    assertEquals((await system.names(path)).filter((name) => name !== ".lock"), []);
    assert(former.path === path || await system.facts(former.path) === null);
  }
  assertEquals(await system.facts(path), null);
});

Deno.test(
  "workFolder() removes what a killed process with another state directory left in memory, and nothing of a living one",
  needs("memory"),
  async () => {
    await using state = await tempFolder();
    const system = createSystem();
    const instance = () => `test${crypto.randomUUID().slice(0, 8)}`;
    const script = `
      const { workFolder } = await import("${new URL("../../src/daemon/state_directory.ts", import.meta.url)}");
      const { createSystem } = await import("${new URL("../../src/system/create_system.ts", import.meta.url)}");
      const work = await workFolder(${JSON.stringify(state.at("killed"))}, "${instance()}", createSystem());
      await Deno.writeTextFile(work.path + "/link", "left");
      console.log(work.path);
      setInterval(() => undefined, 1000);`;
    const child = new Deno.Command(Deno.execPath(), { args: ["eval", script], stdout: "piped" }).spawn();
    const lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    const path = (await lines.read()).value!.trim();
    try {
      await using _living = await workFolder(state.at("other"), instance(), system);
      assert(await system.facts(`${path}/link`) !== null);
    } finally {
      child.kill("SIGKILL");
      await child.status;
      await lines.cancel();
    }
    const unlocked = `/dev/shm/image-transfer-${instance()}-older`;
    const link = `/dev/shm/image-transfer-${instance()}-link`;
    await system.makeFolder(unlocked, 0o700);
    await state.write("target/.lock", "");
    await system.symlink(state.at("target"), link);
    try {
      await using _next = await workFolder(state.at("next"), instance(), system);
      assertEquals(await system.facts(path), null);
      assert(await system.facts(unlocked) !== null);
      assert(await system.facts(state.at("target", ".lock")) !== null);
    } finally {
      await system.remove(unlocked);
      await system.remove(link);
    }
  },
);

Deno.test("workFolder() falls back on the state directory where memory cannot be used", async () => {
  await using state = await tempFolder();
  const system = createSystem();
  const refusing = {
    ...system,
    platform: "linux" as const,
    names: () => Promise.reject(new Deno.errors.PermissionDenied("no")),
    runtimeFolder: () => Promise.resolve("/tmp/it-0"),
  };
  for (const around of [{ ...system, platform: "darwin" as const }, refusing]) {
    await using work = await workFolder(state.path, "x", around);
    assertEquals(work.path, state.at("work"));
  }
});

Deno.test("workFolder() is in the folder for sockets where the program may not use /dev, and what a former process left there goes", async () => {
  await using state = await tempFolder();
  const system = createSystem();
  const runtime = "/run/image-transfer-test";
  const removed: string[] = [];
  const made: string[] = [];
  const compiled = {
    ...system,
    platform: "linux" as const,
    runtimeFolder: () => Promise.resolve(runtime),
    followedFacts: (path: string) =>
      path.startsWith("/dev") ? Promise.reject(new Deno.errors.NotCapable("no")) : system.followedFacts("/"),
    names: () => Promise.resolve(["image-transfer-x-former", "image-transfer-y-other", "cm-1"]),
    removeTree: (path: string) => Promise.resolve(void removed.push(path)),
    makeFolder: (path: string) => Promise.resolve(void made.push(path)),
    facts: async (path: string) => path.endsWith("/.lock") ? null : await system.facts("/"),
    lock: () => Promise.resolve({ isInPlace: () => Promise.resolve(true), [Symbol.asyncDispose]: () => Promise.resolve() }),
  };
  const work = await workFolder(state.path, "x", compiled);
  assert(work.path.startsWith(`${runtime}/image-transfer-x-`));
  assertEquals([made, removed], [[work.path], [`${runtime}/image-transfer-x-former`, state.at("work")]]);
});

Deno.test("workFolder() keeps whole files out of memory, and removes those that a former process left", async () => {
  await using state = await tempFolder();
  const system = createSystem();
  await state.write("work/nas/whole.fits", "left by a crash");
  await using _work = await workFolder(state.path, `test${crypto.randomUUID().slice(0, 8)}`, system);
  assertEquals(await system.facts(state.at("work", "nas")), null);
});
