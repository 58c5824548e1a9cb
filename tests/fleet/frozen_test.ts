/** Deliveries and a server that never answers: no request to it lies on the path of a delivery. */
import { assert, assertEquals } from "@std/assert";
import { keepFleet } from "../../src/commands/run/run_daemon.ts";
import { daemonRig } from "../support/daemon_rig.ts";
import { fitsFile } from "../support/fits_maker.ts";

const FILES = 40;

Deno.test("deliveries are complete while every request to the server hangs, and none of them asks for one", async () => {
  // deno-lint-ignore require-await -- as fetch does: a rejection, never a throw
  const never = async (_url: string, _question: unknown, signal: AbortSignal) => {
    signal.throwIfAborted();
    hanging.add(signal);
    return new Promise<never>((_resolve, reject) =>
      signal.addEventListener("abort", () => {
        hanging.delete(signal);
        reject(signal.reason);
      }, { once: true })
    );
  };
  const hanging = new Set<AbortSignal>();
  let asked = 0;
  const instead = {
    askRemote: (...question: Parameters<typeof never>) => (asked++, never(...question)),
    hearRemote: (...question: Parameters<typeof never>) => (asked++, never(...question)),
  };
  const pocketbase = {
    url: "http://127.0.0.1:9",
    admin_email: "a@daemon.invalid",
    admin_password: "unused-1",
    timeout_secs: 600,
  };
  await using rig = await daemonRig({ pocketbase, web: false }, { instead });
  const linked = keepFleet(rig.daemon, rig.daemon.events, rig.system);
  await rig.until(() => hanging.size === 2, "the login, and the connection for changes");
  for (let index = 0; index < FILES; index++) await Deno.writeFile(rig.folder.at(`data/${index}.fits`), fitsFile(3000, index));
  const delivered = () => rig.events.filter(({ type }) => type === "delivered").length;
  await rig.until(() => delivered() === FILES, "all deliveries");
  // The same requests as before hang still; no delivery has asked for another.
  assertEquals([asked, hanging.size], [2, 2]);
  assert(rig.events.every(({ type }) => type !== "pocketbase"));
  await rig.daemon[Symbol.asyncDispose]();
  await linked;
  assertEquals(hanging.size, 0);
});
