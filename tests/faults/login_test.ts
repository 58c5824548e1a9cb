/**
 * The server is another one, or refuses the login: the destination holds, nothing is sent, nobody is bothered by a storm
 * of logins, and a person's word makes it go on.
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { finalNames } from "../support/observer.ts";
import { until } from "../support/until.ts";
import { each, everyDelivered, makeRig } from "./rig.ts";

each(
  ["rsync", "tar", "sftp"],
  "changed host key, refused login: held with a hint, nothing sent, no login storm, goes on after resume",
  async (method) => {
    await using rig = await makeRig({ method, config: { transfer_timeout_seconds: 5, parallel_transfers: 4 } });
    const server = rig.server!;
    await using daemon = await rig.installation.start();
    await rig.expose("before.fits");
    await rig.installation.until(everyDelivered(1));

    // Refused: the key is taken away, and every session with it.
    await server.revokeKey();
    await server.dropConnections();
    const logged = (await rig.installation.log()).length;
    for (let i = 0; i < 6; i++) await rig.expose(`refused${i}.fits`);
    const log = await rig.installation.untilLog(/ERROR Destination .* is on hold: /, logged);
    assertMatch(log.slice(logged), /on hold: .*login as \S+ was refused.*authorized_keys/);
    const tried = await attempts(server.log);
    // One that finds out, and perhaps those that were just about to begin beside it.
    assert(tried <= 3, `${tried} logins`);
    await new Promise((resolve) => setTimeout(resolve, 4000));
    const later = await attempts(server.log);
    assert(later <= 3, `${tried} logins, ${later} after a while`);
    assertEquals((await Array.fromAsync(finalNames(rig.there))).length, 1);
    await server.allowKey();
    assertEquals((await rig.installation.command(["resume"])).code, 0);
    await rig.installation.until(everyDelivered(7));

    // Somebody else answers.
    const known = await Deno.readTextFile(server.knownHosts);
    const from = (await rig.installation.log()).length;
    const logins = await server.logins();
    await server.changeHostKey();
    await rig.expose("foreign.fits");
    const text = await rig.installation.untilLog(/ERROR Destination .* is on hold: /, from);
    assertMatch(text.slice(from), /on hold: .*host key has changed.*ssh-keygen -f .* -R/);
    assertEquals(await Deno.readTextFile(server.knownHosts), known);
    assertEquals(await server.logins(), logins);
    assertEquals((await Array.fromAsync(finalNames(rig.there))).length, 7);
    // A person looks, and accepts the new key.
    const [type, key] = (await Deno.readTextFile(server.identityFile.replace(/id$/, "host_key.pub"))).split(" ");
    await Deno.writeTextFile(server.knownHosts, `[127.0.0.1]:*,127.0.0.1 ${type} ${key}\n`);
    assertEquals((await rig.installation.command(["resume"])).code, 0);
    const rows = await rig.installation.until(everyDelivered(8));
    await until(async () => (await rig.installation.log()).trimEnd() !== "", "the log is written");
    await rig.endsWell(daemon, rows);
  },
);

/** Logins that were refused: each ends with such a line. */
async function attempts(log: () => Promise<string>): Promise<number> {
  return (await log()).split("Connection closed by authenticating user").length - 1;
}
