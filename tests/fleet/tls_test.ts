/** A PocketBase behind TLS with a certificate of an authority of one's own. */
import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { checkPocketbase } from "../../src/commands/checks/check_here.ts";
import { Failure } from "../../src/domain/failure.ts";
import { JOBS } from "../../src/fleet/collections.ts";
import { pocketbaseServer } from "../../src/fleet/pocketbase_server.ts";
import { createSystem } from "../../src/system/create_system.ts";
import { authority, tlsFront } from "../support/authority.ts";
import { has } from "../support/needs.ts";
import { tempFolder } from "../support/temp.ts";
import { fleetServer, linkRig, never } from "./link_rig.ts";

Deno.test({
  name: "tls_ca trusts an authority of one's own; any other certificate is refused with its reason",
  ignore: !has("pocketbase", "openssl"),
  // The client that trusts these certificates is kept for the next request.
  sanitizeResources: false,
  async fn() {
    await using folder = await tempFolder();
    await using server = await fleetServer(folder.at("data"));
    const [own, other] = [await authority(folder, "own"), await authority(folder, "other")];
    const { port } = server.process;
    await using front = tlsFront(port, await own.issue("DNS:localhost,IP:127.0.0.1"));
    const behind = (at: number, tlsCa: string | null, host = "127.0.0.1") => ({
      ...server.account,
      url: `https://${host}:${at}`,
      tlsCa,
    });

    // Requests, uploads and realtime all trust it.
    await using link = await linkRig(folder, { ...behind(front.port, own.ca), refreshMs: 600_000 });
    await link.until(() => link.beats() > 0, "a heartbeat");
    const body = { name: "guider", enabled: true, settings: { watch_path: "/guider", remote_base_path: "/nas" } };
    await server.root.ask(`/api/collections/${JOBS}/records`, { method: "POST", body }, never);
    await link.until(() => link.jobs().includes("guider"), "the change");
    assertEquals(link.notices(), []);

    const refusal = async (settings: ReturnType<typeof behind>) => {
      const failure = await assertRejects(() => pocketbaseServer(settings, createSystem()).account(never), Failure);
      return `${failure.code}: ${failure.message}. ${failure.hint}`;
    };
    const untrusted =
      /^certificate_refused: Cannot trust .*: its certificate is not from an authority .* set pocketbase\.tls_ca /;
    assertMatch(await refusal(behind(front.port, null)), untrusted);
    assertMatch(await refusal(behind(front.port, other.ca)), untrusted);
    await using expired = tlsFront(port, await own.issue("IP:127.0.0.1", true));
    assertMatch(await refusal(behind(expired.port, own.ca)), /^certificate_refused: .* has expired\. Renew the certificate/);
    await using elsewhere = tlsFront(port, await own.issue("DNS:nas.example"));
    assertMatch(
      await refusal(behind(elsewhere.port, own.ca)),
      /^certificate_refused: .* is for another host name\. Use the name/,
    );
    assertMatch(
      await refusal(behind(front.port, folder.at("none.pem"))),
      /^configuration: The certificates of tls_ca cannot be read: .*none\.pem: .*Check that tls_ca is a file/,
    );
    assertMatch(await refusal(behind(front.port, folder.at("config.yaml"))), /there is no certificate in it/);
    // doctor tells the same.
    const look = async (settings: ReturnType<typeof behind>) =>
      (await checkPocketbase({ pocketbase: settings, file: null }, createSystem(), never)).map(({ level, what }) =>
        `${level}: ${what}`
      );
    assertEquals(await look(behind(front.port, own.ca)), [
      `ok: PocketBase https://127.0.0.1:${front.port}: connected as spring`,
      "ok: Whoever owns that server may set when jobs send; may send files from / to /",
    ]);
    assertMatch((await look(behind(front.port, other.ca)))[0]!, /^fault: Cannot trust /);
    assertMatch((await look(behind(1, own.ca)))[0]!, /^warning: Cannot reach /);
    await Deno.writeTextFile(folder.at("broken.pem"), "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n");
    assertMatch(
      await refusal(behind(front.port, folder.at("broken.pem"))),
      /^certificate_refused: .*its certificate, or one of tls_ca, is damaged/,
    );
  },
});
