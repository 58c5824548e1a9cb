/**
 * A server that takes few logins at a time, or shuts out for a while who comes too often: few connections are opened, and
 * everything arrives without using up an attempt.
 */
import { assert, assertEquals, assertMatch, assertNotMatch } from "@std/assert";
import { join } from "@std/path";
import { install } from "../support/daemon_process.ts";
import { fitsFile, sha256 } from "../support/fits_maker.ts";
import { needs } from "../support/needs.ts";
import { stagingRemains } from "../support/observer.ts";
import { type SshdOptions, startSshd } from "../support/sshd.ts";
import { startProxy } from "../support/tcp_proxy.ts";
import { tempFolder } from "../support/temp.ts";
import { each, everyDelivered } from "./rig.ts";

const DESTINATIONS = ["d0", "d1", "d2", "d3"];
const FILES = 10;

/** Four destinations on one account, behind a proxy that counts connections; a daemon that is about to send ten files to each. */
async function setUp(method: string, options: SshdOptions) {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await tempFolder());
  const server = stack.use(await startSshd(options));
  const proxy = stack.use(startProxy(server.port));
  await Deno.mkdir(folder.at("camera"));
  const installation = await install(folder.path, {
    watch_path: folder.at("camera"),
    transfer_method: method,
    remote_host: "127.0.0.1",
    remote_user: server.user,
    remote_port: proxy.port,
    destinations: DESTINATIONS.map((name) => ({ name, remote_base_path: folder.at(name) })),
    minimum_free_space_gb: 0,
    copy_safety_margin_gb: 0,
    retry_delay: 1,
    debounce_ms: 200,
  }, server.env);
  const hashes = new Map<string, string>();
  const expose = async (name: string) => {
    const content = fitsFile(100_000, hashes.size + 1);
    hashes.set(name, await sha256(content));
    await Deno.writeFile(folder.at("camera", name), content);
  };
  for (let number = 0; number < FILES; number++) await expose(`f${number}.fits`);
  const allArrived = async () => {
    const rows = await installation.until(everyDelivered(FILES * DESTINATIONS.length), 60);
    for (const { attempts, destination, target, error } of rows) {
      assertEquals([attempts, error], [attempts, null], `${destination} ${target}`);
    }
    for (const name of DESTINATIONS) {
      for (const [file, hash] of hashes) assertEquals(await sha256(await Deno.readFile(join(folder.at(name), file))), hash);
    }
  };
  const nothingLeft = async () => {
    for (const name of DESTINATIONS) assertEquals(await stagingRemains(folder.at(name)), []);
  };
  const rest = stack.move();
  return {
    folder,
    server,
    proxy,
    installation,
    expose,
    allArrived,
    nothingLeft,
    [Symbol.asyncDispose]: () => rest.disposeAsync(),
  };
}

each(
  ["rsync", "tar", "sftp", "scp"],
  "a server that takes one login at a time (MaxStartups): four destinations get all files, with few connections",
  async (method) => {
    await using it = await setUp(method, { config: ["MaxStartups 1:100:1"] });
    await using daemon = await it.installation.start();
    await it.allArrived();
    // One after the other: nobody was dropped, and nobody heard of trouble.
    assertEquals(it.proxy.counters.connections, DESTINATIONS.length);
    assertNotMatch(await it.installation.log(), / (WARNING|ERROR) /);
    assertEquals(await daemon.stop(), 0);
    await it.nothingLeft();
  },
);

Deno.test(
  "a server that shuts this computer out for a while (PerSourcePenalties): it is asked seldom, and then gets all files",
  needs("sshd", "rsync"),
  async () => {
    await using it = await setUp("rsync", {});
    await using daemon = await it.installation.start();
    await it.allArrived();
    // As such a server does: open connections end, new ones are accepted and closed at once.
    it.proxy.refuse();
    for (let number = 0; number < 5; number++) await it.expose(`late${number}.fits`);
    await new Promise((resolve) => setTimeout(resolve, 8000));
    const { refused } = it.proxy.counters;
    // All four together: 1, 1, 2, 4 seconds apart, give or take; a slow machine asks less often.
    assert(refused >= 1 && refused <= 9, `${refused} connections in 8 s`);
    // What one of them found out is said of all, but of the host: never "Destination d0 …: Cannot reach d3".
    assertNotMatch(await it.installation.log(), /Destination (d\d) [^\n]*\b(?!\1)d\d\b/);
    assertMatch(await it.installation.log(), /the server closed the connection before the login/);
    it.proxy.heal();
    await it.allArrived();
    assertEquals(await daemon.stop(), 0);
    await it.nothingLeft();
  },
);
