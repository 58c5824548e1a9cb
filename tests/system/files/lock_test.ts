import { assert, assertEquals } from "@std/assert";
import { createSystem } from "../../../src/system/create_system.ts";
import { tempFolder } from "../../support/temp.ts";
import { startProgram } from "../start_program.ts";

const system = createSystem();

Deno.test("lock() excludes a second holder until it is released", async () => {
  await using dir = await tempFolder();
  const path = dir.at("lock");
  const first = await system.lock(path);
  assert(first !== null);
  assertEquals(await system.lock(path), null);
  await first[Symbol.asyncDispose]();
  const second = await system.lock(path);
  assert(second !== null);
  await second[Symbol.asyncDispose]();
});

Deno.test("lock() is free again after its holder was killed", async () => {
  await using dir = await tempFolder();
  const path = dir.at("lock");
  await using holder = await startProgram(["lock", path]);
  assertEquals(await holder.line(), "mine");
  assertEquals(await system.lock(path), null);
  holder.kill("SIGKILL");
  await holder.finished;
  const mine = await system.lock(path);
  assert(mine !== null);
  await mine[Symbol.asyncDispose]();
});

Deno.test("lock() excludes although the file was removed and made again meanwhile", async () => {
  await using dir = await tempFolder();
  const path = dir.at("lock");
  const old = await system.lock(path);
  await system.remove(path);
  const first = await system.lock(path);
  assert(old !== null && first !== null);
  assertEquals(await system.lock(path), null);
  await old[Symbol.asyncDispose]();
  await first[Symbol.asyncDispose]();
});
