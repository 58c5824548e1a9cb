/** Passwords, accounts, tokens and clocks that are wrong or change while a computer is linked to a real server. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { COMMANDS, DAEMONS, HEARTBEATS, JOBS } from "../../src/fleet/collections.ts";
import { fleetNow } from "../../src/fleet/heartbeat.ts";
import { createSystem } from "../../src/system/create_system.ts";
import { has } from "../support/needs.ts";
import { tempFolder } from "../support/temp.ts";
import { type FleetServer, fleetServer, type LinkRig, linkRig, never } from "./link_rig.ts";

const options = { ignore: !has("pocketbase") };

/** Requests that a link has sent with this outcome. */
const sent = (link: LinkRig, collection: string, result: "ok" | "error") =>
  link.events.filter((event) => event.type === "pocketbase" && event.collection === collection && event.result === result).length;

const accountOf = ({ id }: FleetServer) => `/api/collections/${DAEMONS}/records/${id}`;
const setAccounts = ({ root }: FleetServer, body: Record<string, unknown>) =>
  root.ask(`/api/collections/${DAEMONS}`, { method: "PATCH", body }, never);

Deno.test("a wrong password is told once, tried seldom, and works as soon as the file has the right one", options, async () => {
  await using folder = await tempFolder();
  await using server = await fleetServer(folder.at("data"));
  const file = folder.at("password");
  const write = async (password: string) => {
    await Deno.writeTextFile(file, `${password}\n`);
    await Deno.chmod(file, 0o600);
  };
  await write("wrong-password");
  // The refresh is what decides how often a rejected password is tried again.
  const account = { ...server.account, adminPassword: null, adminPasswordFile: file, refreshMs: 5000 };
  await using link = await linkRig(folder, account);
  await link.until(() => link.notices().length > 0, "the message");
  assertMatch(link.notices()[0]!, /Cannot log in to .*: it rejected spring\.\w+@daemon\.invalid or the password/);
  await new Promise((resolve) => setTimeout(resolve, 1000));
  assertEquals([link.notices().length, sent(link, DAEMONS, "error")], [1, 1]);
  await write(server.account.adminPassword!);
  await link.until(() => link.notices().at(-1)!.startsWith("PocketBase: connected to"), "the login");

  // Changed on the server while it runs.
  const password = crypto.randomUUID();
  await server.root.ask(accountOf(server), { method: "PATCH", body: { password, passwordConfirm: password } }, never);
  await link.until(() => link.notices().at(-1)!.includes("Cannot log in"), "the message about the former password");
  assertMatch(link.notices().at(-1)!, /The jobs in force were fetched \d+ s ago\.$/);
  await write(password);
  await link.until(() => link.notices().at(-1)!.startsWith("PocketBase: connected to"), "the new password");
  assert(!JSON.stringify(link.events).includes(password));
});

Deno.test("an account that is disabled or deleted changes no job here, and comes back", options, async () => {
  await using folder = await tempFolder();
  await using server = await fleetServer(folder.at("data"));
  const body = { name: "guider", enabled: true, settings: { watch_path: "/guider", remote_base_path: "/nas" } };
  await server.root.ask(`/api/collections/${JOBS}/records`, { method: "POST", body }, never);
  await using link = await linkRig(folder, server.account);
  await link.until(() => link.jobs().includes("guider"), "the job");

  await setAccounts(server, { authRule: "verified = true" });
  await server.root.ask(accountOf(server), { method: "PATCH", body: { verified: false } }, never);
  await link.until(() => link.notices().some((message) => /the account spring\.\S+ is disabled there/.test(message)), "disabled");
  await server.root.ask(accountOf(server), { method: "PATCH", body: { verified: true } }, never);
  await link.until(() => link.notices().at(-1)!.startsWith("PocketBase: connected to"), "enabled again");

  await server.root.ask(accountOf(server), { method: "DELETE" }, never);
  await link.until(() => /Cannot log in to .*: spring\.\S+ was removed there/.test(link.notices().at(-1)!), "deleted");
  assertEquals([link.jobs(), link.reloads()], [["default", "guider"], 1]);
  // Another account for the same computer, with the login of the former one.
  const { adminEmail: email, adminPassword: password } = server.account;
  const again = { id: "b".repeat(15), name: "spring", email, password, passwordConfirm: password, verified: true };
  await server.root.ask(`/api/collections/${DAEMONS}/records`, { method: "POST", body: again }, never);
  await link.until(() => link.notices().at(-1)!.startsWith("PocketBase: connected to"), "the new account");
  const beats = () => server.root.all<{ daemon: string }>(HEARTBEATS, {}, never);
  await link.until(async () => (await beats()).some(({ daemon }) => daemon === again.id), "its heartbeat");
});

Deno.test("a token that expires is renewed or replaced; nothing looks empty in between", options, async () => {
  await using folder = await tempFolder();
  await using server = await fleetServer(folder.at("data"));
  const body = { name: "guider", enabled: true, settings: { watch_path: "/guider", remote_base_path: "/nas" } };
  await server.root.ask(`/api/collections/${JOBS}/records`, { method: "POST", body }, never);
  // Shorter than the time between two requests: every token has ended when it is used again.
  await setAccounts(server, { authToken: { duration: 10 } });
  await using link = await linkRig(folder, { ...server.account, refreshMs: 12_000 });
  await link.until(() => link.jobs().includes("guider"), "the job");
  // It has ended: the server refuses what comes with it.
  const refused = () => link.events.some((event) => event.type === "pocketbase" && event.result === "error");
  await link.until(() => refused() && link.beats() >= 2 && sent(link, JOBS, "ok") >= 2, "the round after that");
  assertEquals([link.jobs(), link.reloads(), link.notices()], [["default", "guider"], 1, []]);
});

for (const [what, hours] of [["ahead of", 5], ["behind", -5]] as const) {
  Deno.test(`a clock that is five hours ${what} the server's is told, and misleads nobody`, options, async () => {
    await using folder = await tempFolder();
    await using server = await fleetServer(folder.at("data"));
    const { now } = createSystem();
    const wrong = { now: () => now() + hours * 3_600_000 };
    const issued_by = server.id;
    const order = (action: string) =>
      server.root.ask<{ id: string }>(`/api/collections/${COMMANDS}/records`, {
        method: "POST",
        body: { daemon: server.id, issued_by, action, argument: "nas", state: "waiting" },
      }, never);
    await using link = await linkRig(folder, { ...server.account, mayDo: ["pause"], mayDoFrom: ["spring"] }, wrong);
    await order("pause");
    await link.until(() => link.ordered.includes("pause nas"), "the order");
    await link.until(
      () => link.notices().some((message) => message.includes(`clock of this computer is 5 h ${what} that of`)),
      "the message",
    );
    link.look();
    await link.until(() => link.events.some((event) => event.type === "fleet"), "the fleet");
    const seen = link.events.findLast((event) => event.type === "fleet")!.members;
    assertEquals(seen.map(({ name, level }) => [name, level]), [["spring", "good"]]);
    // As another computer sees it, whose clock is right; the second heartbeat knows the difference.
    const look = async () => (await fleetNow(server.root, never))[0];
    await link.until(async () => (await look())?.report?.clock_ahead_seconds !== null, "the second heartbeat");
    const member = await look();
    assertEquals([member?.level, Math.round(member!.report!.clock_ahead_seconds! / 3600)], ["good", hours]);
    assert(member!.seconds_ago! < 60);
    assertEquals(link.notices().filter((message) => message.includes("clock")).length, 1);
  });
}
