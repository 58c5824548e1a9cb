/**
 * Everything that a running daemon can be asked to tell or do over HTTP: what is sent, and how it is answered. Routes and clients are made
 * from these tables. Commands can ask more than the page, which can change no configuration, program or key.
 */
import * as z from "zod";
import { MAY_DO } from "../config/schema/schema_program.ts";
import { Failure } from "../domain/failure.ts";
import type { DaemonControl, InForce } from "./daemon_control.ts";
import type { PageSource } from "./page_source.ts";

/** `ask` is the shape of what is sent; `act` does it, and what it returns is sent back as JSON. */
export interface Action<Doer, Schema extends z.ZodType = z.ZodType, Answer extends object = object> {
  readonly ask: Schema;
  act(doer: Doer, ask: z.output<Schema>): Answer | Promise<Answer>;
}

/** What is sent for an action of one of these tables. */
export type AskOf<A> = A extends Action<never, infer Schema> ? z.input<Schema> : never;
/** What comes back. */
export type AnswerOf<A> = A extends { act(...given: never): infer Answer } ? Awaited<Answer> : never;

/** What commands ask without a body, by GET. */
export const COMMAND_QUESTIONS = {
  status: (daemon: DaemonControl) => daemon.status(),
  settings: (daemon: DaemonControl): InForce => {
    const { file, stateDirectory, jobs, log, shutdownTimeoutMs, web } = daemon.settings();
    return { file, stateDirectory, jobs, log, shutdownTimeoutMs, hasPage: web !== null };
  },
  live: (daemon: DaemonControl) => daemon.live(),
};

function forCommands<Schema extends z.ZodType, Answer extends object>(
  ask: Schema,
  act: (daemon: DaemonControl, ask: z.output<Schema>) => Answer | Promise<Answer>,
): Action<DaemonControl, Schema, Answer> {
  return { ask, act };
}

const id = z.int().positive();
const ids = z.array(id).readonly();
const destination = z.string().nullable();
const optionalJob = z.object({ job: z.string().optional() });

/** What commands have done; `null` and no job mean all. See `DaemonControl` for what each does. */
export const COMMAND_ACTIONS = {
  reload: forCommands(z.object({}), (daemon) => daemon.reload()),
  sync: forCommands(optionalJob, async (daemon, { job }) => ({ jobs: await daemon.sync(job) })),
  retry: forCommands(z.object({ ids: ids.nullable() }), (daemon, { ids }) => ({ count: daemon.retry(ids) })),
  "send-again": forCommands(z.object({ ids }), (daemon, { ids }) => ({ ids: daemon.sendAgain(ids) })),
  "mark-gone": forCommands(
    z.object({ ids, reason: z.string().min(1).max(1000) }),
    (daemon, { ids, reason }) => ({ count: daemon.markGone(ids, reason) }),
  ),
  pause: forCommands(
    z.object({ destination, by: z.string().min(1).max(200) }),
    (daemon, { destination, by }) => ({ destinations: daemon.pause(destination, by) }),
  ),
  resume: forCommands(
    z.object({ destination, former: z.enum(["ask", "send_again", "keep"]).default("ask") }),
    (daemon, { destination, former }) => daemon.resume(destination, former),
  ),
  "accept-removals": forCommands(
    z.object({ destination }),
    (daemon, { destination }) => ({ destinations: daemon.acceptRemovals(destination) }),
  ),
  "accept-removed": forCommands(
    z.object({ job: z.string().nullable() }),
    async (daemon, { job }) => ({ jobs: await daemon.acceptRemoved(job) }),
  ),
  audit: forCommands(optionalJob, (daemon, { job }) => ({ destinations: daemon.audit(job) })),
  "accept-audit": forCommands(optionalJob, (daemon, { job }) => ({ count: daemon.acceptAudit(job) })),
  forget: forCommands(z.object({ destination: z.string() }), (daemon, { destination }) => daemon.forget(destination)),
  opening: forCommands(z.object({}), (daemon) => ({ opening: daemon.opening() })),
};

function forPage<Schema extends z.ZodType, Answer extends object>(
  ask: Schema,
  act: (source: PageSource, ask: z.output<Schema>) => Answer | Promise<Answer>,
): Action<PageSource, Schema, Answer> {
  return { ask, act };
}

const name = z.string().min(1).max(500);
const place = z.strictObject({ destination: name.nullable() });
/** As many ids of nine digits fit into the body that `web_app.ts` lets in. */
export const MOST_IDS = 50_000;

/** What the page has done, by the names of the API; `null` and no job mean all. */
export const PAGE_ACTIONS = {
  /** Failed or deferred deliveries go back into the queue. */
  retry: forPage(
    z.strictObject({ ids: z.array(id).max(MOST_IDS, `at most ${MOST_IDS} ids are allowed at once`).readonly().nullable() }),
    (source, { ids }) => ({ count: source.retry(ids) }),
  ),
  pause: forPage(place, (source, { destination }) => ({ destinations: source.pause(destination, "the web page") })),
  /** `retrying` are still unavailable, and tried at once. Never that another disk is the right one: too much for a button. */
  resume: forPage(place, async (source, { destination }) => {
    const { destinations, retrying } = await source.resume(destination);
    return { destinations, retrying };
  }),
  scan: forPage(z.strictObject({ job: name.optional() }), async (source, { job }) => ({ jobs: await source.sync(job) })),
  /** Ends a job that the PocketBase server no longer has. */
  "accept-removed": forPage(
    z.strictObject({ job: name }),
    async (source, { job }) => ({ jobs: await source.acceptRemoved(job) }),
  ),
  /** For another computer of the fleet, which does it if its `may_do` says so; an answer takes seconds, at most half a minute. */
  "fleet/command": forPage(
    z.strictObject({ computer: name, action: z.enum(MAY_DO), argument: z.string().max(200) }),
    (source, command) => source.others.send(command),
  ),
  /** The checks of `doctor`: takes seconds to minutes, and sends each destination a small file, which is removed again. */
  doctor: forPage(z.strictObject({}), async (source) => {
    if (source.check === null) {
      throw new Failure("configuration", "This daemon cannot run the checks", { hint: "Run: image-transfer doctor" });
    }
    return { findings: await source.check() };
  }),
};

/** For those who ask; the tables themselves stay in the daemon. */
export type CommandQuestions = typeof COMMAND_QUESTIONS;
export type CommandActions = typeof COMMAND_ACTIONS;
export type PageActions = typeof PAGE_ACTIONS;
