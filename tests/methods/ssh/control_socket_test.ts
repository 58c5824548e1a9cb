import { assertEquals, assertRejects } from "@std/assert";
import { controlSocket } from "../../../src/methods/ssh/ssh_connection.ts";
import { sshSettings } from "../../../src/methods/ssh/ssh.ts";
import { createSystem } from "../../../src/system/create_system.ts";
import { aServer } from "../../conformance/rig.ts";
import { tempFolder } from "../../support/temp.ts";

const signal = new AbortController().signal;

Deno.test("controlSocket() tries again to end what an earlier run left, if that failed the first time", {
  ignore: Deno.build.os === "windows",
}, async () => {
  await using folder = await tempFolder();
  const told: string[] = [];
  let ended = 0;
  const system = {
    ...createSystem(),
    runtimeFolder: () => Promise.resolve(folder.path),
    run: () => {
      if (++ended === 1) return Promise.reject(new Error("no program can be started now"));
      return Promise.resolve({ code: 0, signal: null, stdout: "", stderr: "" });
    },
  };
  const destination = aServer("tar", { host: "freya" }, {});
  const log = (_level: string, message: string) => void told.push(message);
  const context = { system, log, stagingRoot: ".image-transfer-test", workFolder: folder.path, logIn: () => null };
  const open = () => controlSocket(sshSettings(destination, system), "/usr/bin/ssh", context, signal);
  let path: string;
  {
    await using socket = await open();
    path = socket.path!;
  }
  await Deno.writeTextFile(path, "");
  await Deno.writeTextFile(`${path}.lock`, "");
  await assertRejects(open, Error, "no program");
  await using _socket = await open();
  assertEquals([ended, told.length, await system.facts(path)], [2, 2, null]);
});
