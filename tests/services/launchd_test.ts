import { assertEquals, assertStringIncludes } from "@std/assert";
import { xmlText } from "../../src/services/fill_template.ts";
import { launchd } from "../../src/services/launchd.ts";
import type { ServiceRequest } from "../../src/services/service.ts";
import { assertGolden } from "../support/golden.ts";
import { needs } from "../support/needs.ts";
import { tempFolder } from "../support/temp.ts";
import { aRequest, HOSTILE, template } from "./requests.ts";

const plist = await template(launchd.template);
const request = (changes: Partial<ServiceRequest>) =>
  aRequest({
    name: "com.observatory.imagetransfer",
    account: { name: "observer", uid: 501, home: "/Users/observer" },
    config: "/Users/observer/.config/image-transfer/config.yaml",
    stateDirectory: "/Users/observer/Library/Application Support/image-transfer",
    logFile: "/Users/observer/logs/image_transfer.log",
    ...changes,
  });
const text = (changes: Partial<ServiceRequest>) => launchd.plan(request(changes), plist).files[0]!.text;
const hostile = { scope: "user", description: HOSTILE, program: `/Users/${HOSTILE}/it`, config: `/${HOSTILE}.yaml` } as const;

Deno.test("launchd.plan() makes an agent", async () => {
  await assertGolden(new URL("golden/agent.plist", import.meta.url), text({ scope: "user" }));
});

Deno.test("launchd.plan() makes a daemon that runs as the account", async () => {
  await assertGolden(new URL("golden/daemon.plist", import.meta.url), text({ scope: "system" }));
});

Deno.test("launchd.plan() writes where launchd looks", () => {
  const path = (scope: "user" | "system") => launchd.plan(request({ scope }), plist).files[0]!.path;
  assertEquals(path("user"), "/Users/observer/Library/LaunchAgents/com.observatory.imagetransfer.plist");
  assertEquals(path("system"), "/Library/LaunchDaemons/com.observatory.imagetransfer.plist");
});

Deno.test("launchd.controls() addresses the user's session or the system", () => {
  const target = (scope: "user" | "system") => launchd.controls(request({ scope })).status.args;
  assertEquals(target("user"), ["print", "gui/501/com.observatory.imagetransfer"]);
  assertEquals(target("system"), ["print", "system/com.observatory.imagetransfer"]);
});

for (const [name, changes] of Object.entries({ agent: { scope: "user" }, daemon: { scope: "system" }, hostile } as const)) {
  Deno.test(`launchd.plan() makes a property list that plistutil reads (${name})`, needs("plistutil"), async () => {
    await using folder = await tempFolder();
    const file = await folder.write("a.plist", text(changes));
    const { success, stdout, stderr } = await new Deno.Command("plistutil", { args: ["-i", file, "-f", "xml"] }).output();
    assertEquals({ success, said: new TextDecoder().decode(stderr) }, { success: true, said: "" });
    const read = new TextDecoder().decode(stdout).replace(/>\s+</g, "><");
    const { program, config } = request(changes);
    const string = (text: string) => `<string>${xmlText(text)}</string>`;
    const words = [program, "run", "--config", config].map(string).join("");
    assertStringIncludes(read, `<key>ProgramArguments</key><array>${words}</array>`);
    assertStringIncludes(read, "<key>KeepAlive</key><dict><key>SuccessfulExit</key><false/></dict>");
    assertEquals(read.includes("<key>UserName</key><string>observer</string>"), changes.scope === "system");
  });
}
