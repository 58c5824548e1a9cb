/**
 * Commands from one computer to another, as records on the server: the one that is asked carries them out only where its own file allows
 * it, and writes down what became of them.
 *
 * @module
 */
import type { PocketbaseSettings } from "../config/settings.ts";
import type { FleetCommand } from "../domain/fleet.ts";
import { Failure, failureRecord } from "../domain/failure.ts";
import { counted } from "../domain/names/counted.ts";
import { printable } from "../domain/names/printable.ts";
import type { Emit } from "../domain/transfer_event.ts";
import { type DaemonControl, resumedText } from "../reports/daemon_control.ts";
import { daemons } from "./accounts.ts";
import { COMMANDS } from "./collections.ts";
import type { Identity, Sender } from "./identity.ts";
import type { PocketbaseServer } from "./pocketbase_server.ts";
import { nonsense } from "./server_failure.ts";

/** What one computer can ask of another. */
export type RemoteAction = PocketbaseSettings["mayDo"][number];

interface CommandRecord {
  readonly id: string;
  readonly daemon: string;
  readonly issued_by: string;
  /** A superuser, who has no record; empty otherwise. */
  readonly issued_as?: string;
  readonly action: string;
  readonly argument: string;
  readonly state: string;
  readonly answer: string;
  readonly created: string;
  readonly updated: string;
}

/** What became of a command; `waiting` where its computer has not answered yet. */
export interface CommandAnswer {
  readonly state: "done" | "refused" | "failed" | "waiting";
  readonly answer: string;
}

const RECORDS = `/api/collections/${COMMANDS}/records`;
/** A command that was not seen for so long is not carried out any more: whoever gave it has done it themselves by then. */
const EXPIRES_MS = 3_600_000;

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
  const known = await daemons(server, signal);
  const target = known.find(({ name }) => name === command.to) ??
    known.find(({ name }) => name.toLowerCase() === command.to.toLowerCase());
  if (target === undefined) {
    throw new Failure("configuration", `Unknown computer "${printable(command.to)}"`, {
      hint: `Known computers: ${known.map(({ name }) => printable(name)).join(", ")}`,
    });
  }
  const { action, argument } = command;
  const sender = from.id === null ? { issued_by: target.id, issued_as: from.name } : { issued_by: from.id };
  const body = { daemon: target.id, ...sender, action, argument, state: "waiting" };
  const { id } = await server.ask<{ id: string }>(RECORDS, { method: "POST", body }, signal);
  for (let looks = 0; looks < LOOKS && !signal.aborted; looks++) {
    await wait(LOOK_MS);
    const { state, answer } = await server.ask<CommandRecord>(`${RECORDS}/${id}`, {}, signal);
    if (state === "done" || state === "refused" || state === "failed") return { state, answer };
  }
  return { state: "waiting", answer: "" };
}

/** The latest commands that this account may see: those that it gave, and those for it; a superuser's sees all. The newest first. @throws {Failure} */
export async function listCommands(server: PocketbaseServer, signal: AbortSignal): Promise<readonly FleetCommand[]> {
  await server.renew(signal);
  const query = { sort: "-created", page: 1, perPage: MOST_LISTED };
  const { items } = await server.ask<{ items: CommandRecord[] }>(RECORDS, { query }, signal);
  if (!Array.isArray(items)) throw nonsense(server.url);
  const names = new Map((await daemons(server, signal)).map(({ id, name }) => [id, name]));
  return items.map(({ daemon, issued_by, issued_as, action, argument, state, answer, created, updated }) => {
    const known = STATES.find((one) => one === state) ?? "waiting";
    return {
      at: isoOf(created),
      from: issued_as ? String(issued_as) : (names.get(issued_by) ?? "an unknown computer"),
      to: names.get(daemon) ?? "an unknown computer",
      action: String(action),
      argument: String(argument),
      state: known,
      answer: String(answer),
      answered_at: known === "waiting" ? null : isoOf(updated),
    };
  });
}

const MOST_LISTED = 100;
const STATES = ["done", "refused", "failed", "waiting"] as const;

/** `2026-01-15 20:00:00.123Z`, as PocketBase writes times; what cannot be read is long ago. */
function isoOf(written: string): string {
  const time = Date.parse(String(written).replace(" ", "T"));
  return new Date(Number.isNaN(time) ? 0 : time).toISOString();
}

const LOOK_MS = 1_000;
const LOOKS = 30;

/** What commands of others may change. */
export type Commanded = Pick<DaemonControl, "pause" | "resume" | "retry" | "sync">;

/** What carrying out takes. */
interface Taking {
  readonly daemon: Commanded;
  /** What became of commands, until the server knows it; null of one that may have been marked as taken. */
  readonly answered: Map<string, CommandAnswer | null>;
  readonly emit: Emit;
}

/**
 * Carries out the commands that wait for this computer, the oldest first. None is carried out twice: it is marked as taken before, and
 * one that a former process has taken is not touched. @throws {Failure} where the server cannot be asked, or told.
 */
export async function takeCommands(
  { mayDo }: Pick<PocketbaseSettings, "mayDo">,
  { id: own }: Identity,
  { daemon, answered, emit }: Taking,
  server: PocketbaseServer,
  signal: AbortSignal,
): Promise<void> {
  const filter = `daemon = "${own}" && (state = "waiting" || state = "${TAKEN}")`;
  const query = { filter, sort: "created,id", perPage: TAKEN_TOGETHER, skipTotal: 1 };
  const write = (id: string, body: unknown) => server.ask(`${RECORDS}/${id}`, { method: "PATCH", body }, signal);
  for (let turn = 0; turn < MOST_TURNS; turn++) {
    const { items: open } = await server.ask<{ items: readonly CommandRecord[] }>(RECORDS, { query }, signal);
    if (!Array.isArray(open)) throw nonsense(server.url);
    if (open.length === 0) return;
    const names = new Map((await daemons(server, signal)).map(({ id, name }) => [id, name]));
    // Commands may be much older than they seem to a computer that was asleep.
    const now = await server.clock(signal);
    for (const command of open) {
      const { id } = command;
      if (!answered.get(id)) {
        const from = command.issued_as || names.get(command.issued_by) || "an unknown computer";
        const refused = refusalOf(command, answered.has(id), mayDo, now);
        if (refused === null) {
          answered.set(id, null);
          await write(id, { state: TAKEN });
        }
        const done = refused ?? await carryOut(command, from, daemon);
        answered.set(id, done);
        tell(command, from, done, emit);
      }
      await write(id, answered.get(id));
      answered.delete(id);
    }
    if (open.length < TAKEN_TOGETHER) return;
  }
}

/** Of a command that is being carried out. Others read it as `waiting`. */
const TAKEN = "taken";
const TAKEN_TOGETHER = 200;
/** More wait until the next look. */
const MOST_TURNS = 10;

function tell({ action, argument }: CommandRecord, from: string, { state, answer }: CommandAnswer, emit: Emit): void {
  const what = `${action}${argument === "" ? "" : ` ${argument}`}`;
  emit({
    type: "notice",
    level: state === "done" ? "info" : "warning",
    message: `PocketBase: command from ${from}: ${what}: ${state}${answer === "" ? "" : ` (${answer})`}`,
  });
}

/** Why a command is not carried out; null if it is. `isOurs`: this process may have marked it, and has not carried it out. */
function refusalOf(
  { action, created, state }: CommandRecord,
  isOurs: boolean,
  mayDo: PocketbaseSettings["mayDo"],
  now: number,
): CommandAnswer | null {
  if (state === TAKEN && !isOurs) {
    return { state: "failed", answer: "the daemon was stopped while it did this: check, and send it again if it has no effect" };
  }
  if (!mayDo.some((one) => one === action)) {
    return { state: "refused", answer: `this computer's pocketbase.may_do does not list ${action}` };
  }
  // A time that cannot be read is no recent one.
  return now - Date.parse(String(created).replace(" ", "T")) <= EXPIRES_MS
    ? null
    : { state: "refused", answer: "it is more than an hour old" };
}

async function carryOut({ action, argument }: CommandRecord, from: string, daemon: Commanded): Promise<CommandAnswer> {
  try {
    return { state: "done", answer: (await act(action as RemoteAction, argument, from, daemon)).slice(0, 500) };
  } catch (error) {
    return { state: "failed", answer: failureRecord(error).message.slice(0, 500) };
  }
}

/** Returns what was done, for people. */
async function act(action: RemoteAction, argument: string, from: string, daemon: Commanded): Promise<string> {
  const name = argument === "" ? null : argument;
  switch (action) {
    case "pause":
      return daemon.pause(name, from).join(", ");
    case "resume":
      return resumedText(await daemon.resume(name));
    case "retry":
      return counted(daemon.retry(null), "delivery", "deliveries");
    case "scan":
      return (await daemon.sync(name ?? undefined)).join(", ");
    default:
      return action satisfies never;
  }
}
