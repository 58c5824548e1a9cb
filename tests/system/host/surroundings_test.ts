import { userInfo } from "node:os";
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { createSystem } from "../../../src/system/create_system.ts";
import { embeddedUrl } from "../../../src/system/host/surroundings.ts";
import { startProgram } from "../start_program.ts";

const system = createSystem();

Deno.test("surroundings: platform, separator, pid, home and the program that runs", () => {
  assertEquals(system.separator, Deno.build.os === "windows" ? "\\" : "/");
  assertEquals([system.pid, system.executable, system.compiled], [Deno.pid, Deno.execPath(), false]);
  assert(system.home.length > 1 && system.hostname.length > 0);
});

Deno.test("usage() tells memory and processor time", () => {
  const before = system.usage();
  assert(before.rssBytes > 10_000_000 && before.cpuSeconds > 0);
  assert(system.usage().cpuSeconds >= before.cpuSeconds);
});

Deno.test("embedded() reads the templates of the services", async () => {
  assertStringIncludes(await system.embedded("service/image-transfer.service"), "[Service]");
});

Deno.test("embeddedUrl() is beside src, and beside the bundle's folder in the binary", () => {
  assertEquals(embeddedUrl("service/x", "file:///p/src/system/host/surroundings.ts").href, "file:///p/service/x");
  assertEquals(embeddedUrl("service/x", "file:///tmp/d/bundle/main.js").href, "file:///tmp/d/service/x");
});

Deno.test("home is the account's own folder where HOME is empty, never the root", async () => {
  await using program = await startProgram(["home"], { HOME: "", USERPROFILE: "" });
  // As the system's list of accounts has it: HOME of who runs the tests may be another folder.
  assertEquals(await program.line(), userInfo().homedir);
});
