import { assert, assertEquals } from "@std/assert";
import { workFolder } from "../../src/delivery/work_folder.ts";
import { createSystem } from "../../src/system/create_system.ts";
import { tempFolder } from "../support/temp.ts";

Deno.test("workFolder() gives an empty folder of its own, removes a former process's, and goes away", async () => {
  await using state = await tempFolder();
  const system = createSystem();
  const instance = `test${crypto.randomUUID().slice(0, 8)}`;
  const former = await workFolder(state.path, instance, system);
  await system.writeText(`${former.path}/link`, "left by a crash");
  await using work = await workFolder(state.path, instance, system);
  assertEquals((await system.list(work.path)).entries, []);
  assert(former.path === work.path || await system.facts(former.path) === null);
});

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
