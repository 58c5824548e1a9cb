/** What the daemon notices of its configuration file by itself. */
import { assertEquals } from "@std/assert";
import { autoReload, configState } from "../../../src/commands/run/run_daemon.ts";
import type { Settings } from "../../../src/config/settings.ts";
import { createFakeClock } from "../../support/fake_clock.ts";

Deno.test("autoReload() reads a changed file, and says once when it is missing", async () => {
  const clock = createFakeClock();
  const ending = new AbortController();
  let size: number | null = 1;
  let reloads = 0;
  const system: Parameters<typeof autoReload>[0] = {
    sleep: clock.sleep,
    followedFacts: () =>
      Promise.resolve(
        size === null
          ? null
          : { kind: "file", size, mtimeMs: 1, ctimeMs: 1, identity: "1", mode: 0o600, bornMs: 0, links: 1, device: "1" },
      ),
  };
  const daemon = {
    settings: () => ({ file: "/config.yaml", autoReload: true }) as Settings,
    reload: () => Promise.resolve({ ok: ++reloads > 0, message: "" }),
    ending: ending.signal,
  };
  const read = await configState("/config.yaml", system);
  const running = autoReload(system, daemon, read);
  const seconds = (count: number) => clock.advance(count * 1000);
  await seconds(10);
  assertEquals(reloads, 0);
  size = 2;
  await seconds(10);
  assertEquals(reloads, 1);
  size = null;
  await seconds(20);
  assertEquals(reloads, 2, "a file that is missing is reported once");
  size = 2;
  await seconds(10);
  assertEquals(reloads, 3);
  ending.abort();
  await running;
});

Deno.test("autoReload() reads a file that was changed while the daemon was starting", async () => {
  const clock = createFakeClock();
  const ending = new AbortController();
  let reloads = 0;
  const system = { sleep: clock.sleep, followedFacts: () => Promise.resolve(null) };
  const daemon = {
    settings: () => ({ file: "/config.yaml", autoReload: true }) as Settings,
    reload: () => Promise.resolve({ ok: ++reloads > 0, message: "" }),
    ending: ending.signal,
  };
  const running = autoReload(system, daemon, "as it was read");
  await clock.advance(10_000);
  assertEquals(reloads, 1);
  ending.abort();
  await running;
});
