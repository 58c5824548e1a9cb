import { assertEquals, assertStringIncludes } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { readMark } from "../../src/config/read/service_mark.ts";
import type { ServiceRequest } from "../../src/services/service.ts";
import { taskScheduler } from "../../src/services/task_scheduler.ts";
import { assertGolden } from "../support/golden.ts";
import { needs } from "../support/needs.ts";
import { tempFolder } from "../support/temp.ts";
import { aWindowsRequest, HOSTILE, template } from "./requests.ts";

const xml = await template(taskScheduler.template);
const file = (changes: Partial<ServiceRequest> = {}) => taskScheduler.plan(aWindowsRequest(changes), xml).files[0]!;
const lines = (changes: Partial<ServiceRequest> = {}) => file(changes).text.replaceAll("\r\n", "\n");
const hostile = { description: HOSTILE, config: "C:\\Users\\O'Neil & Söhne\\100% $x\\config.yaml" };

Deno.test("taskScheduler.plan() makes a task at log-on", async () => {
  await assertGolden(new URL("golden/log_on.xml", import.meta.url), lines());
});

Deno.test("taskScheduler.plan() makes a task at boot, without a password and nobody logged on", async () => {
  await assertGolden(new URL("golden/boot.xml", import.meta.url), lines({ scope: "system" }));
});

Deno.test("taskScheduler.plan() hands over UTF-16 with Windows' line ends, and takes it away again", () => {
  const { path, encoding, passing, text } = file();
  assertEquals({ path, encoding, passing }, {
    path: "C:\\Users\\Observer\\logs\\ImageTransferDaemon.xml",
    encoding: "utf-16le",
    passing: true,
  });
  assertEquals(text.replaceAll("\r\n", "").includes("\n"), false);
});

Deno.test("taskScheduler.plan() writes a mark that is found in what schtasks prints", () => {
  assertEquals(readMark(file(hostile).text)?.config, hostile.config);
});

Deno.test("taskScheduler.rightsMissing() knows what schtasks says", () => {
  assertEquals(taskScheduler.rightsMissing("ERROR: Access is denied.\r\n"), true);
  assertEquals(taskScheduler.rightsMissing("ERROR: The system cannot find the file specified.\r\n"), false);
});

Deno.test("taskScheduler.plan() sets no time limit", () => {
  assertStringIncludes(lines(), "<ExecutionTimeLimit>PT0S</ExecutionTimeLimit>");
});

for (const [name, changes] of Object.entries({ "log-on": {}, boot: { scope: "system" }, hostile } as const)) {
  Deno.test(
    `taskScheduler.plan() makes a task that the schema of Task Scheduler allows (${name})`,
    needs("xmllint"),
    async () => {
      await using folder = await tempFolder();
      const path = await folder.write("task.xml", file(changes).text.replace('encoding="UTF-16"', 'encoding="UTF-8"'));
      const schema = fromFileUrl(new URL("task.xsd", import.meta.url));
      const { code, stderr } = await new Deno.Command("xmllint", { args: ["--noout", "--schema", schema, path] }).output();
      assertEquals({ code, said: new TextDecoder().decode(stderr).replace(path, "") }, { code: 0, said: " validates\n" });
    },
  );
}
