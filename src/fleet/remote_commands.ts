/**
 * Commands from one computer to another, as records on the server: the one that is asked carries them out only where its own file allows
 * it, and writes down what became of them.
 */
import * as z from "zod";
import type { PocketbaseSettings } from "../config/settings.ts";
import type { FleetCommand } from "../domain/fleet.ts";
import { Failure, failureRecord } from "../domain/failure.ts";
import { jsonOf } from "../domain/json.ts";
import { counted } from "../domain/words.ts";
import { printable } from "../domain/names/printable.ts";
import type { Emit } from "../domain/transfer_event.ts";
import { type DaemonControl, resumedText } from "../reports/daemon_control.ts";
import type { System } from "../system/system.ts";
import { daemons, type Identity, type Sender, theComputer } from "./accounts.ts";
import { CLAIMS, COMMANDS } from "./collections.ts";
import { type PocketbaseServer, timeOf } from "./pocketbase_server.ts";
import { nonsense, ServerFailure, understood } from "./server_failure.ts";

export type RemoteAction = PocketbaseSettings["mayDo"][number];

const commandAnswer = z.object({ state: z.enum(["done", "refused", "failed", "waiting"]), answer: z.string() });

/** What became of a command; `waiting` where its computer has not answered yet. */
export type CommandAnswer = z.infer<typeof commandAnswer>;

const text = z.string().catch("");
/** What the server says of a command is not trusted to have its shape. */
const commandRecord = z.object({
  id: text,
  daemon: text,
  /** Empty once that account has been removed, as `daemon` is. */
  issued_by: text,
  /** The name of that account; where `issued_by` is the computer that is asked, also of a superuser, who has no record. */
  issued_as: text,
  computer: text,
  action: text,
  argument: text,
  state: text,
  answer: text,
  created: text,
  updated: text,
});

type CommandRecord = z.output<typeof commandRecord>;

const RECORDS = `/api/collections/${COMMANDS}/records`;
/** Commands are refused after an hour: of this many, the oldest are no longer of use. */
const MOST_KEPT = 1_000;
const MOST_BYTES = 4 * 1024 * 1024;
/** A command that was not seen for so long is not carried out any more: whoever gave it has done it themselves by then. */
const EXPIRES_MS = 3_600_000;
/** More from one computer are not carried out within an hour. */
const MOST_AN_HOUR = 60;

/**
 * Sends a command, and waits for the answer until the signal is aborted or half a minute has passed.
 *
 * @throws {Failure} where there is no such computer, or the server refuses.
 */
export async function sendCommand(
  command: { readonly to: string; readonly action: RemoteAction; readonly argument: string },
  from: Sender,
  server: PocketbaseServer,
  wait: (ms: number) => Promise<void>,
  signal: AbortSignal,
): Promise<CommandAnswer> {
  const { id: daemon, name: computer } = theComputer(command.to, await daemons(server, signal));
  const { action, argument } = command;
  const body = { daemon, computer, issued_by: from.id ?? daemon, issued_as: from.name, action, argument, state: "waiting" };
  const { id } = await server.ask<{ id: string }>(RECORDS, { method: "POST", body }, signal).catch((error) => {
    // Its rules have refused it, without saying so.
    if (error instanceof ServerFailure && error.status === 400 && Object.keys(error.fields).length === 0) {
      throw new Failure("configuration", `${server.url} does not accept a command from ${printable(from.name)}`, {
        hint: "Bring its collections up to date (image-transfer pocketbase setup), and check that its disk is not full.",
        cause: error,
      });
    }
    if (!isTaken("issued_by", error)) throw error;
    throw new Failure(
      "configuration",
      `${printable(computer)} has not answered an earlier command from ${printable(from.name)}`,
      { hint: "It takes another one once it has; see image-transfer fleet commands.", cause: error },
    );
  });
  for (let looks = 0; looks < LOOKS && !signal.aborted; looks++) {
    await wait(LOOK_MS);
    const [{ state, answer } = UNTOLD] = commandsIn([await server.ask(`${RECORDS}/${id}`, {}, signal)], server);
    if (state === "done" || state === "refused" || state === "failed") return { state, answer };
  }
  return UNTOLD;
}

const UNTOLD = { state: "waiting", answer: "" } as const;

/** True where the server refuses a record because it has another one with this. */
function isTaken(field: string, error: unknown): boolean {
  return error instanceof ServerFailure && error.status === 400 && Object.hasOwn(error.fields, field);
}

/** The latest commands that this account may see: those that it gave, and those for it; a superuser's sees all. The newest first. @throws {Failure} */
export async function listCommands(server: PocketbaseServer, signal: AbortSignal): Promise<readonly FleetCommand[]> {
  await server.renew(signal);
  const query = { sort: "-created", page: 1, perPage: MOST_LISTED };
  const { items } = await server.ask<{ items: unknown }>(RECORDS, { query }, signal);
  const commands = commandsIn(items, server);
  const names = new Map((await daemons(server, signal)).map(({ id, name }) => [id, name]));
  const now = await server.clock(signal);
  return commands.map(({ daemon, computer, issued_by, issued_as, action, argument, state, answer, created, updated }) => {
    const known = STATES.find((one) => one === state) ?? "waiting";
    return {
      at: isoOf(created),
      from: issued_as || (names.get(issued_by) ?? "an unknown computer"),
      to: computer || (names.get(daemon) ?? "an unknown computer"),
      action,
      argument,
      state: known,
      answer: known === "waiting" && isExpired(created, now)
        ? "it has expired: its computer did not connect within an hour"
        : answer,
      answered_at: known === "waiting" ? null : isoOf(updated),
    };
  });
}

function commandsIn(written: unknown, { url }: Pick<PocketbaseServer, "url">): readonly CommandRecord[] {
  return understood(z.array(commandRecord), written, url);
}

const MOST_LISTED = 100;
const STATES = ["done", "refused", "failed", "waiting"] as const;

function isoOf(written: string): string {
  return new Date(timeOf(written)).toISOString();
}

/** A time that cannot be read is no recent one. */
function isExpired(created: string, now: number): boolean {
  return now - timeOf(created) > EXPIRES_MS;
}

const LOOK_MS = 1_000;
const LOOKS = 30;

export type Commanded = Pick<DaemonControl, "pause" | "resume" | "retry" | "sync">;

/**
 * Carries out the commands that wait for this computer, the oldest first. None is carried out twice: before, it is claimed at the server,
 * and kept in mind here. `instance` is this process: others may have the same account, and the same name.
 *
 * @throws {Failure} where the server cannot be asked, or told.
 */
export async function takeCommands(
  allowed: Pick<PocketbaseSettings, "mayDo" | "mayDoFrom">,
  own: Identity,
  { daemon, memory, instance, emit }: {
    readonly daemon: Commanded;
    readonly memory: CommandMemory;
    readonly instance: string;
    readonly emit: Emit;
  },
  server: PocketbaseServer,
  signal: AbortSignal,
): Promise<void> {
  const say = (level: "info" | "warning", from: string, what: string) =>
    emit({ type: "notice", level, message: `PocketBase: command from ${from}: ${what}` });
  const tell = ({ action, argument }: CommandRecord, from: string, { state, answer }: CommandAnswer) => {
    const what = `${action}${argument === "" ? "" : ` ${argument}`}: ${state}${answer === "" ? "" : ` (${answer})`}`;
    say(state === "done" ? "info" : "warning", from, what);
  };

  /** Null if it is this process that carries the command out; else which one does. */
  async function claim(command: string): Promise<string | null> {
    const records = `/api/collections/${CLAIMS}/records`;
    try {
      await server.ask(records, { method: "POST", body: { id: command, command, daemon: own.id, instance } }, signal);
      return null;
    } catch (error) {
      if (!isTaken("id", error)) throw error;
      const claimed = await server.ask<{ instance: unknown }>(`${records}/${command}`, {}, signal);
      // The answer to an earlier attempt may have been lost.
      return claimed.instance === instance ? null : String(claimed.instance);
    }
  }

  /** Null where another daemon with this account does it. */
  async function carryOutOnce(command: CommandRecord, from: string): Promise<CommandAnswer | null> {
    const other = await claim(command.id);
    if (other !== null) {
      say("warning", from, `${command.action}: left to ${other}, which uses the same account`);
      return null;
    }
    await memory.keep(command.id, null);
    const { action, argument } = command;
    let answer: CommandAnswer;
    try {
      const done = await REMOTE_ACTIONS[action as RemoteAction](daemon, argument === "" ? null : argument, from);
      answer = { state: "done", answer: done.slice(0, 500) };
    } catch (error) {
      answer = { state: "failed", answer: failureRecord(error).message.slice(0, 500) };
    }
    tell(command, from, answer);
    await memory.keep(command.id, answer);
    return answer;
  }

  const query = { filter: `daemon = "${own.id}" && state = "waiting"`, sort: "created,id" };
  const waiting = commandsIn(await server.all(COMMANDS, query, signal), server);
  // None could be answered, nor kept in mind.
  if (waiting.some(({ id }) => id === "")) throw nonsense(server.url);
  if (waiting.length === 0) return;
  const names = new Map((await daemons(server, signal)).map(({ id, name }) => [id, name]));
  // Commands may be much older than they seem to a computer that was asleep.
  const now = await server.clock(signal);
  for (const command of waiting) {
    const from = giverOf(command, own, names);
    const count = memory.count(command.id, from.name, now);
    const known = memory.answerOf(command.id);
    // Without an answer: while it waits, the server takes no other one.
    if (known === undefined && count > MOST_AN_HOUR + 1) continue;
    const refused = known ? null : refusalOf(command, from, known === null, count, allowed, now);
    const answer = known ?? refused ?? await carryOutOnce(command, from.name);
    if (answer === null) continue;
    await server.ask(`${RECORDS}/${command.id}`, { method: "PATCH", body: answer }, signal);
    if (refused !== null) tell(command, from.name, refused);
  }
}

interface Giver {
  readonly name: string;
  /** `removed`: the account is gone. */
  readonly kind: "computer" | "superuser" | "removed";
}

function giverOf({ issued_by, issued_as }: CommandRecord, own: Identity, names: ReadonlyMap<string, string>): Giver {
  const name = names.get(issued_by);
  if (name === undefined) return { name: issued_as || "an unknown computer", kind: "removed" };
  // The server lets nobody else give another name.
  const isSuperuser = issued_by === own.id && issued_as !== "" && issued_as !== name;
  return isSuperuser ? { name: issued_as, kind: "superuser" } : { name, kind: "computer" };
}

/** Why a command is not carried out; null if it is. `isBegun`: it was, and nobody knows how it came out. */
function refusalOf(
  { action, created }: CommandRecord,
  { name, kind }: Giver,
  isBegun: boolean,
  count: number,
  { mayDo, mayDoFrom }: Pick<PocketbaseSettings, "mayDo" | "mayDoFrom">,
  now: number,
): CommandAnswer | null {
  if (isBegun) {
    return { state: "failed", answer: "the daemon was stopped while it did this: check, and send it again if it has no effect" };
  }
  const refuse = (answer: string): CommandAnswer => ({ state: "refused", answer });
  const isListed = mayDoFrom.some((one) => one.toLowerCase() === name.toLowerCase());
  if (kind === "removed") return refuse("the account that sent it has been removed");
  if (count > MOST_AN_HOUR) return refuse(`${name} has sent more than ${MOST_AN_HOUR} commands within an hour`);
  if (kind === "computer" && !isListed) return refuse(`this computer's pocketbase.may_do_from does not list ${name}`);
  if (!mayDo.some((one) => one === action)) return refuse(`this computer's pocketbase.may_do does not list ${action}`);
  return isExpired(created, now) ? refuse("it is more than an hour old") : null;
}

/** Each does it, of all where nothing is named, and returns what was done, for people. */
const REMOTE_ACTIONS = {
  pause: (daemon, name, from) => daemon.pause(name, from).join(", "),
  resume: async (daemon, name) => resumedText(await daemon.resume(name)),
  retry: (daemon) => counted(daemon.retry(null), "delivery", "deliveries"),
  scan: async (daemon, name) => (await daemon.sync(name ?? undefined)).join(", "),
} satisfies Record<RemoteAction, (daemon: Commanded, name: string | null, from: string) => string | Promise<string>>;

const begunCommands = z.array(z.tuple([z.string(), commandAnswer.nullable()]));

export type CommandMemory = Awaited<ReturnType<typeof commandMemory>>;

/**
 * What this computer knows of the commands that it was given, with what a former process kept in this folder; a damaged file is as good as none.
 * What it carried out is on its disk before it begins, so that no restart of its own, and no server that was restored from a backup, makes it do the
 * same again.
 */
export async function commandMemory(stateDirectory: string, system: Pick<System, "read" | "writeText" | "makeFolder">) {
  const file = `${stateDirectory}/pocketbase-commands.json`;
  const bytes = await system.read(file, 0, MOST_BYTES).catch(() => new Uint8Array());
  const begun = new Map(begunCommands.safeParse(jsonOf(new TextDecoder().decode(bytes))).data);
  const given = new Map<string, { readonly from: string; readonly at: number }>();
  return {
    /** What became of a command that was begun here; null if that is not known, undefined if none was begun. */
    answerOf: (id: string): CommandAnswer | null | undefined => begun.get(id),
    /** Keeps what became of it, null before it is begun. @throws where the disk cannot be written. */
    async keep(id: string, answer: CommandAnswer | null): Promise<void> {
      begun.set(id, answer);
      try {
        await system.makeFolder(stateDirectory, 0o700);
        await system.writeText(file, `${JSON.stringify([...begun].slice(-MOST_KEPT))}\n`, 0o600);
      } catch (error) {
        if (answer === null) begun.delete(id);
        throw error;
      }
    },
    /** Counts a command from somebody; returns how many there were within an hour. */
    count(id: string, from: string, now: number): number {
      if (!given.has(id)) given.set(id, { from, at: now });
      for (const [other, { at }] of given) if (now - at > EXPIRES_MS) given.delete(other);
      return [...given.values()].filter((one) => one.from === from).length;
    },
  };
}
