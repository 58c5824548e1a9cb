/**
 * One PocketBase server, as one account sees it. Requests log in when they must, have a time limit and are repeated where that is safe;
 * an answer that is not what PocketBase would say is a failure, never data.
 *
 * PocketBase's HTTP API: https://pocketbase.io/docs/api-records/
 *
 * @module
 */
import { deadline } from "../async/deadline.ts";
import { mutex } from "../async/mutex.ts";
import type { PocketbaseSettings } from "../config/settings.ts";
import { printable } from "../domain/names/printable.ts";
import { passwordIn } from "../system/files/password_file.ts";
import type { RemoteQuestion, System } from "../system/system.ts";
import { DAEMONS, THROUGH_CLAIMS } from "./collections.ts";
import { hearTopics } from "./realtime.ts";
import { nonsense, otherProgram, refused, ServerFailure, tooOld, unprepared, unreached } from "./server_failure.ts";
import { trustedIn } from "./trusted.ts";

/** What it takes to talk to a server. */
export type ServerSystem = Pick<
  System,
  "now" | "monotonic" | "random" | "sleep" | "askRemote" | "hearRemote" | "followedFacts" | "readText" | "platform"
>;

/** Who is logged in. */
export interface Account {
  /** `superuser`: may change everything. */
  readonly kind: "daemon" | "superuser";
  readonly id: string;
  /** Of a daemon: its name on the server; of a superuser: the email address. */
  readonly name: string;
}

/** A request besides login. */
export interface Question {
  readonly method?: "GET" | "POST" | "PATCH" | "DELETE";
  readonly query?: Readonly<Record<string, string | number>>;
  readonly body?: unknown;
}

export interface PocketbaseServer {
  readonly url: string;
  /** The account, logged in. @throws {Failure} */
  account(signal: AbortSignal): Promise<Account>;
  /**
   * Checks that the login still holds, and renews it: with one that has ended, lists look empty. Another object than before is
   * another login. @throws {Failure}
   */
  renew(signal: AbortSignal): Promise<Account>;
  /** Asks as the account. @throws {Failure} with what the server says of it. */
  ask<T>(path: string, question: Question, signal: AbortSignal): Promise<T>;
  /** All records of a collection that the account may see. @throws {Failure} */
  all<T>(collection: string, query: Question["query"], signal: AbortSignal): Promise<T[]>;
  /** Where the collections are there. @throws {Failure} if it is a server before 0.32, which shows an account more than it may see. */
  requireCurrent(signal: AbortSignal): Promise<void>;
  /** The server's clock, milliseconds since 1970 UTC, exact to a second. @throws {Failure} */
  clock(signal: AbortSignal): Promise<number>;
  /**
   * Calls back when records change, after `hearing` was called, until the connection ends, or no event has come for `silentMs`.
   * @param changed by topic: `collection/*` or `collection/ID`
   * @throws {Failure}
   */
  listen(
    changed: ReadonlyMap<string, () => void>,
    how: { readonly hearing: () => void; readonly silentMs: number },
    signal: AbortSignal,
  ): Promise<void>;
}

/** What one connection knows. */
interface Connection {
  readonly settings: PocketbaseSettings;
  readonly system: ServerSystem;
  /** Null until it is logged in. */
  login: { readonly account: Account; token: string } | null;
  /** The password that it was last logged in with. */
  goodPassword: string | null;
  /** The password that was rejected, and until when it is not tried again: servers lock out who tries too often. */
  rejected: { readonly password: string; readonly until: number; readonly failure: ServerFailure } | null;
  /** It did not answer a login in time, and is not asked for one until then. */
  slow: { readonly until: number; readonly pauseMs: number; readonly failure: ServerFailure } | null;
  /** The server asked to be left alone until then. */
  resting: { readonly until: number; readonly failure: ServerFailure } | null;
}

/** Connects with nobody yet: the first request logs in. */
export function pocketbaseServer(settings: PocketbaseSettings, system: ServerSystem): PocketbaseServer {
  const connection: Connection = { settings, system, login: null, goodPassword: null, rejected: null, slow: null, resting: null };
  const inTurn = mutex();
  const account = (signal: AbortSignal) => inTurn(async () => connection.login?.account ?? await login(connection, signal));
  const renewed = (signal: AbortSignal) => inTurn(() => renew(connection, signal));

  async function ask<T>(path: string, question: Question, signal: AbortSignal): Promise<T> {
    await account(signal);
    try {
      return await send<T>(connection, path, question, signal);
    } catch (error) {
      // A login that has ended looks like a missing right, or, where something is created, like a full disk.
      if (!(error instanceof ServerFailure) || !(REFUSALS.has(error.status) || error.isUnsaved)) throw error;
      await renewed(signal);
      return await send<T>(connection, path, question, signal);
    }
  }

  return {
    url: settings.url,
    account,
    renew: renewed,
    ask,
    async all<T>(collection: string, query: Question["query"], signal: AbortSignal) {
      const items: T[] = [];
      let read = 0;
      for (let page = 1;; page++) {
        const question = { query: { perPage: PAGE, skipTotal: 1, sort: "id", ...query, page } };
        const answer = await ask<{ items?: unknown }>(`/api/collections/${collection}/records`, question, signal);
        if (!Array.isArray(answer.items) || !answer.items.every(isObject)) throw nonsense(settings.url);
        items.push(...answer.items as T[]);
        if (answer.items.length < PAGE) return items;
        read += JSON.stringify(answer.items).length;
        if (items.length > MOST_RECORDS || read > MOST_READ) throw nonsense(settings.url);
      }
    },
    async requireCurrent(signal) {
      // Without a login: a superuser may see everything.
      const path = `/api/collections/${DAEMONS}/records?filter=${encodeURIComponent(THROUGH_CLAIMS)}`;
      const { status } = await fetchOnce(connection, path, { method: "GET", headers: {} }, signal);
      if (status === 200) throw tooOld(settings.url);
    },
    async clock(signal) {
      const { headers } = await fetchOnce(connection, "/api/health", { method: "GET", headers: {} }, signal);
      const told = Date.parse(headers.get("date") ?? "");
      return Number.isNaN(told) ? system.now() : told;
    },
    async listen(changed, how, signal) {
      const ca = await trustedIn(settings.tlsCa, system);
      const subscriptions = [...changed.keys()];
      const subscribe = (clientId: string) => ask("/api/realtime", { method: "POST", body: { clientId, subscriptions } }, signal);
      await hearTopics({ url: settings.url, timeoutMs: settings.timeoutMs, ca, changed, ...how, subscribe }, system, signal);
    },
  };
}

/** One request, as often as the settings say if it is safe to repeat. */
async function send<T>(connection: Connection, path: string, question: Question, signal: AbortSignal): Promise<T> {
  const { settings, system } = connection;
  for (let attempt = 0;; attempt++) {
    try {
      return await sendOnce<T>(connection, path, question, signal);
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof ServerFailure)) throw error;
      const isSafe = error.status === 429 ||
        ((question.method ?? "GET") === "GET" && (error.status === 0 || error.status >= 500));
      const waitMs = Math.max(settings.retryDelayMs * (attempt + 1), error.retryAfterMs);
      // Who asks waits no longer than for a slow server; the next request is not sent before it may be, either.
      if (!isSafe || attempt >= settings.retryAttempts || error.retryAfterMs > settings.timeoutMs) throw error;
      await system.sleep(waitMs, signal);
      signal.throwIfAborted();
    }
  }
}

async function sendOnce<T>(connection: Connection, path: string, question: Question, signal: AbortSignal): Promise<T> {
  const { settings: { url }, system, login, resting } = connection;
  if (resting !== null && system.monotonic() < resting.until) throw resting.failure;
  const { method = "GET", query = {}, body } = question;
  const words = Object.entries(query).map(([key, value]) => `${key}=${encodeURIComponent(value)}`).join("&");
  const headers = {
    accept: "application/json",
    ...(login === null ? {} : { authorization: login.token }),
    ...(body === undefined ? {} : { "content-type": "application/json" }),
  };
  const asked = { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
  const answer = await fetchOnce(connection, words === "" ? path : `${path}?${words}`, asked, signal);
  if (answer.status >= 300) {
    const failure = refused(url, answer, system.now());
    if (failure.retryAfterMs > 0) connection.resting = { until: system.monotonic() + failure.retryAfterMs, failure };
    throw failure;
  }
  connection.resting = null;
  const other = otherProgram(url, answer);
  if (other !== null) throw other;
  return parsed(answer.text, url) as T;
}

/** With its time limit. @throws {ServerFailure} where there is no whole answer. */
async function fetchOnce({ settings, system }: Connection, path: string, question: RemoteQuestion, signal: AbortSignal) {
  const { url, timeoutMs, tlsCa } = settings;
  const ca = await trustedIn(tlsCa, system);
  using limit = deadline(timeoutMs, system, signal);
  const asked = { ...question, ...ca, mostCharacters: MOST_ANSWER };
  try {
    return await system.askRemote(`${url.replace(/\/$/, "")}${path}`, asked, limit.signal);
  } catch (error) {
    signal.throwIfAborted();
    throw unreached(url, error, limit.passed);
  }
}

/** Half an answer, a page for people, or a number is none of PocketBase's. */
function parsed(text: string, url: string): unknown {
  if (text === "") return {};
  if (text.length > MOST_ANSWER) throw nonsense(url);
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null) return value;
  } catch (error) {
    throw nonsense(url, error);
  }
  throw nonsense(url);
}

async function login(connection: Connection, signal: AbortSignal): Promise<Account> {
  const { settings, system, rejected, slow } = connection;
  const { url, adminEmail, adminPasswordFile, adminPassword, refreshMs } = settings;
  const password = adminPasswordFile === null
    ? adminPassword ?? ""
    : await passwordIn("admin_password_file", adminPasswordFile, system);
  if (rejected?.password === password && system.monotonic() < rejected.until) throw rejected.failure;
  if (slow !== null && system.monotonic() < slow.until) throw slow.failure;
  connection.login = null;
  const body = { identity: adminEmail, password };
  let status = 400;
  for (const { path, kind } of loginsOf(adminEmail)) {
    try {
      const answer = await send<LoginAnswer>(connection, path, { method: "POST", body }, signal);
      const { record } = answer;
      if (typeof answer.token !== "string" || typeof record?.id !== "string") throw nonsense(url);
      const name = String((kind === "daemon" ? record.name : record.email) ?? "");
      connection.login = { account: { kind, id: record.id, name }, token: answer.token };
      connection.goodPassword = password;
      connection.rejected = null;
      connection.slow = null;
      return connection.login.account;
    } catch (error) {
      if (!(error instanceof ServerFailure)) throw error;
      if (error.code === "timeout") connection.slow = slower(connection, error);
      if (!LOGIN_REFUSALS.has(error.status)) throw error;
      if (error.status === 404 && kind === "superuser") throw tooOld(url);
      if (error.status !== 400) status = error.status;
    }
  }
  const wasIn = connection.goodPassword === password;
  const isUnprepared = status === 404 && isDaemon(adminEmail);
  const failure = isUnprepared ? unprepared(url) : loginRefused(status, url, adminEmail, wasIn);
  connection.rejected = { password, until: system.monotonic() + Math.min(LOGIN_AGAIN_MS, refreshMs), failure };
  throw failure;
}

/**
 * To check a password costs a server some 60 ms of its processor, also for who has given up waiting. When thousands of computers start
 * after a power cut, asking again at once would keep it from ever answering one.
 */
function slower({ slow, system }: Connection, failure: ServerFailure): Connection["slow"] {
  const pauseMs = Math.min(slow === null ? SLOW_MS : slow.pauseMs * 2, LONGEST_SLOW_MS);
  return { until: system.monotonic() + pauseMs * (0.5 + system.random()), pauseMs, failure };
}

function loginRefused(status: number, url: string, email: string, wasIn: boolean): ServerFailure {
  const whom = printable(email);
  const add = "To create an account for this computer: image-transfer pocketbase setup --add NAME";
  if (status === 401) {
    return new ServerFailure(401, ["login_refused", `Cannot log in to ${url}: ${whom} needs a second factor (MFA)`, {
      hint: `Use an account without one. ${add}`,
    }]);
  }
  if (status === 403) {
    return new ServerFailure(403, ["login_refused", `Cannot log in to ${url}: the account ${whom} is disabled there`, {
      hint: "Deliveries continue. Enable the account on the server, or use another one.",
    }]);
  }
  const why = wasIn ? `${whom} was removed there, or its password was changed` : `it rejected ${whom} or the password`;
  return new ServerFailure(400, ["login_refused", `Cannot log in to ${url}: ${why}`, {
    hint: `Check admin_email and admin_password. ${add}`,
  }]);
}

async function renew(connection: Connection, signal: AbortSignal): Promise<Account> {
  const { login: present } = connection;
  if (present === null) return await login(connection, signal);
  try {
    const { token } = await send<LoginAnswer>(connection, refreshPath(present.account), { method: "POST" }, signal);
    if (typeof token !== "string") throw nonsense(connection.settings.url);
    present.token = token;
    return present.account;
  } catch (error) {
    if (!(error instanceof ServerFailure) || !REFUSALS.has(error.status)) throw error;
    connection.login = null;
    return await login(connection, signal);
  }
}

/** Where accounts log in: a daemon's and a superuser's. */
const LOGINS = [
  { path: `/api/collections/${DAEMONS}/auth-with-password`, kind: "daemon" },
  { path: "/api/collections/_superusers/auth-with-password", kind: "superuser" },
] as const;

/** Accounts that `pocketbase setup --add` makes are daemons' only: what fails counts as an attack on servers that limit logins. */
function loginsOf(email: string): readonly (typeof LOGINS)[number][] {
  return isDaemon(email) ? LOGINS.slice(0, 1) : LOGINS;
}

function isDaemon(email: string): boolean {
  return email.endsWith("@daemon.invalid");
}

function refreshPath({ kind }: Account): string {
  return `/api/collections/${kind === "daemon" ? DAEMONS : "_superusers"}/auth-refresh`;
}

interface LoginAnswer {
  readonly token?: unknown;
  readonly record?: { readonly id?: unknown; readonly name?: unknown; readonly email?: unknown };
}

const PAGE = 200;
/** More are not ours, nor is more of them: 10,000 heartbeats of 50 destinations each are less. */
const MOST_RECORDS = 20_000;
const MOST_READ = 100_000_000;
/** A page of records; more is no answer of PocketBase. */
const MOST_ANSWER = 8 * 1024 * 1024;
const REFUSALS = new Set([401, 403, 404]);
const LOGIN_REFUSALS = new Set([400, 401, 403, 404]);
/** How long a server that did not answer a login in time is left alone: first, and at most. */
const SLOW_MS = 5_000;
const LONGEST_SLOW_MS = 120_000;
/** How long a rejected password is not tried again, unless another one is set. */
const LOGIN_AGAIN_MS = 300_000;

function isObject(value: unknown): boolean {
  return typeof value === "object" && value !== null;
}
