/** The view Setup, and what it is made of. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { CheckFinding, SetupReport } from "../../src/reports/api_types.ts";
import { startBrowser } from "../support/browser.ts";
import { fitsFile } from "../support/fits_maker.ts";
import { has } from "../support/needs.ts";
import { seriousFaults } from "./axe_faults.ts";
import { webRig } from "./web_rig.ts";

const ignore = !has("chromium");
const TOKEN = "a-token-that-nobody-must-see-0123456789";
const SECRET = "the-secret-that-signs-webhooks-0123456789";

/** A webhook on this computer that answers 200, or 500 while `fails`. */
function receiver() {
  const state = { fails: false };
  const server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen: () => {} },
    () => new Response("no room", { status: state.fails ? 500 : 200 }),
  );
  return Object.assign(state, {
    url: `http://127.0.0.1:${server.addr.port}/hook-path`,
    [Symbol.asyncDispose]: () => server.shutdown(),
  });
}

Deno.test("/api/setup shows the configuration in force without its secrets, the next runs, and hooks with their last result", async () => {
  await using hook = receiver();
  await using rig = await webRig({
    web: { listen: "127.0.0.1:0", token: TOKEN },
    hooks: [{ on: ["delivered"], url: hook.url, secret: SECRET }],
    report: { at: "08:00", to: `${hook.url}?key=${SECRET}` },
  }, {});
  const before = await rig.json<SetupReport>("/api/setup");
  assertEquals([before.file, before.reload, before.hooks[0]?.last], [rig.folder.at("config.yaml"), null, null]);
  assertStringIncludes(before.configuration ?? "", "(hidden)");
  assertStringIncludes(before.configuration ?? "", rig.folder.at("data"));
  assert(!JSON.stringify(before).includes(TOKEN) && !JSON.stringify(before).includes(SECRET));
  assertEquals(before.schedules.map(({ job, when, next }) => [job, when, next.length]), [
    ["default", "sends as soon as images are finished", 0],
    ["", `every day at 08:00 (${Intl.DateTimeFormat().resolvedOptions().timeZone})`, 1],
  ]);
  await rig.folder.write("data/a.fits", fitsFile(3000));
  await rig.until(() => rig.events.some(({ type }) => type === "hook"), "the hook was called");
  const { hooks } = await rig.json<SetupReport>("/api/setup");
  assertEquals([hooks[0]?.kind, hooks[0]?.on, hooks[0]?.last?.on, hooks[0]?.last?.result], [
    "url",
    ["delivered"],
    "delivered",
    "ok",
  ]);
  assert(!JSON.stringify(hooks).includes("hook-path"), "the rest of an address may be a secret");
});

Deno.test("/api/setup says of a job without destinations that it watches, or when it calls its hooks", async () => {
  await using rig = await webRig();
  const words = async (schedule: unknown) => {
    rig.next = () =>
      rig.settings({ destinations: undefined, hooks: [{ on: ["scheduled"], url: "http://127.0.0.1:1/" }], schedule });
    assertEquals((await rig.daemon.reload()).message, "Configuration reloaded");
    return (await rig.json<SetupReport>("/api/setup")).schedules.map(({ when }) => when);
  };
  assertEquals(await words("continuous"), ["watches only"]);
  assertEquals(await words({ interval: "2h" }), ["calls its hooks every 2 h"]);
});

Deno.test("/api/setup shows the configuration that is in force, and why a newer one was refused", async () => {
  await using rig = await webRig();
  rig.next = () => rig.settings({ file_patterns: ["*.xisf"], schedule: { cron: "0 */10 6 * * *", timezone: "Europe/Berlin" } });
  await rig.daemon.reload();
  const second = await rig.json<SetupReport>("/api/setup");
  assertEquals(second.reload?.problem, null);
  assertStringIncludes(second.configuration ?? "", "*.xisf");
  const [job] = second.schedules;
  assertEquals([job?.when, job?.next.length], ["sends by cron 0 */10 6 * * * (Europe/Berlin)", 5]);
  assertEquals(job!.next, job!.next.toSorted((a, b) => a - b));
  rig.next = () => rig.settings({ file_patterns: ["*.png"], state_directory: rig.folder.at("elsewhere") });
  await rig.daemon.reload();
  const third = await rig.json<SetupReport>("/api/setup");
  assertStringIncludes(third.reload?.problem ?? "", "state_directory");
  assertStringIncludes(third.configuration ?? "", "*.xisf");
});

Deno.test("/api/doctor runs the checks of doctor once for all who ask, and leaves nothing at the destination", async () => {
  await using rig = await webRig();
  const answers = await Promise.all(
    [1, 2].map(async () => (await rig.post("/api/doctor", {})).json() as Promise<{ findings: CheckFinding[] }>),
  );
  const [first, second] = answers.map(({ findings }) => findings);
  assertEquals(first, second);
  assertEquals(Object.keys(first![0]!).sort(), ["about", "code", "hint", "level", "what"]);
  assert(
    first!.some(({ about, what }) => about === "destination nas of job default" && what.startsWith("A small file was written")),
  );
  assertEquals(first!.filter(({ level }) => level === "fault"), []);
  assertEquals(
    (await Array.fromAsync(Deno.readDir(rig.folder.at("nas")))).map(({ name }) => name).filter((name) => name.includes("-ask-")),
    [],
  );
  for (const [body, status] of [["{}", 200], ['{"fix":true}', 400], ["[]", 400]] as const) {
    const answer = await rig.post("/api/doctor", body);
    assertEquals([body, answer.status], [body, status]);
    await answer.body?.cancel();
  }
});

Deno.test(
  "page: Setup shows what is in force, runs the checks by a key, and names what is wrong with its hint",
  { ignore },
  async () => {
    const name = "<b onclick=alert(1)>nas";
    await using rig = await webRig({ destinations: [{ name: "nas", transfer_method: "local", remote_base_path: `~/${name}` }] });
    await using browser = await startBrowser();
    const page = await browser.open(`${rig.daemon.opening()?.once ?? ""}#now`);
    await page.locator(".headline h1").waitFor();
    await page.keyboard.press("5");
    await page.getByRole("heading", { name: "Setup" }).waitFor();
    await page.getByText("No hooks are configured.").waitFor();
    await page.getByLabel("Configuration", { exact: true }).getByText(name).waitFor();
    await page.keyboard.press("d");
    await page.locator(".checks").getByText("A small file was written").waitFor();
    await page.locator(".checks").getByText(name).first().waitFor();
    // Colours that are still changing are neither of the two.
    await page.emulateMedia({ reducedMotion: "reduce" });
    for (const theme of ["light", "red"]) {
      await page.evaluate(`document.documentElement.dataset.theme = "${theme}"`);
      await page.waitForTimeout(300);
      assertEquals(await seriousFaults(page), [], theme);
    }
    await page.setViewportSize({ width: 360, height: 800 });
    assertEquals(await page.evaluate("document.documentElement.scrollWidth - innerWidth"), 0);
    // Another file in the place of the folder.
    await Deno.remove(`${rig.system.home}/${name}`, { recursive: true });
    await Deno.writeTextFile(`${rig.system.home}/${name}`, "not a folder");
    await page.getByRole("button", { name: "Run the checks" }).click();
    await page.locator(".checks .tone-text-bad").first().waitFor();
    await page.getByRole("status").getByText(/1 error/).waitFor();
    rig.next = () => {
      throw new Error("line 3: what is that?");
    };
    await rig.daemon.reload();
    await page.getByRole("alert").getByText("what is that?").waitFor();
  },
);
