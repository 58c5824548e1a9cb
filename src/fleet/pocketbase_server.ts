/**
 * One PocketBase server, as one account sees it. Requests log in when they must, have a time limit and are repeated where that is safe.
 *
 * PocketBase's HTTP API: https://pocketbase.io/docs/api-records/ (0.23 and later), and that of 0.22 where it differs.
 *
 * @module
 */
import PocketBase, { BaseAuthStore, ClientResponseError } from "pocketbase";
import { aborted } from "../async/abort.ts";
import { deadline } from "../async/deadline.ts";
import { mutex } from "../async/mutex.ts";
import type { PocketbaseSettings } from "../config/settings.ts";
import { Failure } from "../domain/failure.ts";
import { printable } from "../domain/names/printable.ts";
import { passwordIn } from "../system/files/password_file.ts";
import type { System } from "../system/system.ts";
import { DAEMONS } from "./collections.ts";

/** What it takes to talk to a server. */
export type ServerSystem = Pick<System, "now" | "sleep" | "askRemote" | "followedFacts" | "readText" | "platform">;

/** Who is logged in. */
export interface Account {
  /** `superuser`: may change everything. */
  readonly kind: "daemon" | "superuser";
  readonly id: string;
  /** Of a daemon: its name on the server; of a superuser: the email address. */
  readonly name: string;
  /** True where the server is older than 0.23: collections are described in another way. */
  readonly isOld: boolean;
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
  /** Checks that the login still holds, and renews it: with one that has ended, lists look empty. @throws {Failure} */
  renew(signal: AbortSignal): Promise<Account>;
  /** Asks as the account. @throws {Failure} with what the server says of it. */
  ask<T>(path: string, question: Question, signal: AbortSignal): Promise<T>;
  /** All records of a collection that the account may see. @throws {Failure} */
  all<T>(collection: string, query: Question["query"], signal: AbortSignal): Promise<T[]>;
  /** The server's clock, milliseconds since 1970 UTC, exact to a second. @throws {Failure} */
  clock(signal: AbortSignal): Promise<number>;
  /** Calls back when records of a collection change, until the signal is aborted. @throws {Failure} */
  listen(collection: string, changed: () => void, signal: AbortSignal): Promise<void>;
}

/** How a request went wrong, so that callers tell a refusal from an outage. */
export class ServerFailure extends Failure {
  constructor(
    /** The HTTP status; 0 if there was no answer. */
    readonly status: number,
    /** What the server says of each field; empty if nothing. */
    readonly fields: Readonly<Record<string, string>>,
    ...failure: ConstructorParameters<typeof Failure>
  ) {
    super(...failure);
  }
}

/** What one connection knows. */
interface Connection {
  readonly settings: PocketbaseSettings;
  readonly system: ServerSystem;
  readonly client: PocketBase;
  /** Null until it is logged in. */
  account: Account | null;
}

/** Connects with nobody yet: the first request logs in. */
export function pocketbaseServer(settings: PocketbaseSettings, system: ServerSystem): PocketbaseServer {
  const client = new PocketBase(settings.url, new BaseAuthStore());
  client.autoCancellation(false);
  const connection: Connection = { settings, system, client, account: null };
  const inTurn = mutex();
  const account = (signal: AbortSignal) => inTurn(async () => connection.account ?? await login(connection, signal));
  const renewed = (signal: AbortSignal) => inTurn(() => renew(connection, signal));

  async function ask<T>(path: string, question: Question, signal: AbortSignal): Promise<T> {
    await account(signal);
    try {
      return await send<T>(connection, path, question, signal);
    } catch (error) {
      // A login that has ended looks like a missing right.
      if (!(error instanceof ServerFailure) || !REFUSALS.has(error.status)) throw error;
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
      for (let page = 1;; page++) {
        const question = { query: { perPage: PAGE, skipTotal: 1, sort: "id", ...query, page } };
        const answer = await ask<{ items?: unknown }>(`/api/collections/${collection}/records`, question, signal);
        if (!Array.isArray(answer.items)) throw nonsense(settings.url);
        items.push(...answer.items as T[]);
        if (answer.items.length < PAGE) return items;
        if (items.length > MOST_RECORDS) throw nonsense(settings.url);
      }
    },
    async clock(signal) {
      const { headers } = await system.askRemote(
        new URL("/api/health", settings.url).href,
        { method: "GET", headers: {} },
        signal,
      );
      const told = Date.parse(headers.get("date") ?? "");
      return Number.isNaN(told) ? system.now() : told;
    },
    async listen(collection, changed, signal) {
      await account(signal);
      const fetch = (url: RequestInfo | URL, config: RequestInit = {}) => fetchWith(system, String(url), config, signal);
      const stop = await client.collection(collection).subscribe("*", changed, { requestKey: null, fetch }).catch((error) => {
        throw failureOf(error, settings.url);
      });
      void aborted(signal).then(stop).catch(() => {});
    },
  };
}

/** One request, with its time limit, and as often as the settings say if it is safe to repeat. */
async function send<T>(
  { settings, system, client }: Connection,
  path: string,
  question: Question,
  signal: AbortSignal,
): Promise<T> {
  const { method = "GET", query = {}, body } = question;
  for (let attempt = 0;; attempt++) {
    using limit = deadline(settings.timeoutMs, system, signal);
    try {
      const fetch = (url: RequestInfo | URL, config: RequestInit = {}) => fetchWith(system, String(url), config, limit.signal);
      const sent = { method, query, ...(body === undefined ? {} : { body }), requestKey: null, signal: limit.signal, fetch };
      return await client.send<T>(path, sent);
    } catch (error) {
      signal.throwIfAborted();
      const failure = failureOf(error, settings.url);
      const again = failure.status === 429 || (method === "GET" && (failure.status === 0 || failure.status >= 500));
      if (!again || attempt >= settings.retryAttempts) throw failure;
      await system.sleep(settings.retryDelayMs * (attempt + 1), signal);
      signal.throwIfAborted();
    }
  }
}

async function login(connection: Connection, signal: AbortSignal): Promise<Account> {
  const { settings, system, client } = connection;
  const password = settings.adminPasswordFile === null
    ? settings.adminPassword ?? ""
    : await passwordIn("admin_password_file", settings.adminPasswordFile, system);
  const body = { identity: settings.adminEmail, password };
  client.authStore.clear();
  for (const { path, kind, isOld } of LOGINS) {
    try {
      const answer = await send<LoginAnswer>(connection, path, { method: "POST", body }, signal);
      const record = answer.record ?? answer.admin;
      if (typeof answer.token !== "string" || typeof record?.id !== "string") throw nonsense(settings.url);
      client.authStore.save(answer.token);
      const name = kind === "daemon" ? record.name ?? "" : record.email ?? "";
      return connection.account = { kind, id: record.id, name, isOld };
    } catch (error) {
      if (!(error instanceof ServerFailure) || (error.status !== 400 && error.status !== 404)) throw error;
    }
  }
  const whom = printable(settings.adminEmail);
  throw new ServerFailure(400, {}, "login_refused", `Cannot log in to ${settings.url}: it rejected ${whom} or the password`, {
    hint:
      "Check admin_email and admin_password. To create an account for this computer: image-transfer pocketbase setup --add NAME",
  });
}

async function renew(connection: Connection, signal: AbortSignal): Promise<Account> {
  const { account, client } = connection;
  if (account === null) return await login(connection, signal);
  try {
    const answer = await send<LoginAnswer>(connection, refreshPath(account), { method: "POST" }, signal);
    if (typeof answer.token === "string") client.authStore.save(answer.token);
    return account;
  } catch (error) {
    if (!(error instanceof ServerFailure) || !REFUSALS.has(error.status)) throw error;
    connection.account = null;
    return await login(connection, signal);
  }
}

/** Where accounts log in: a daemon's, a superuser's, and an administrator's before 0.23. */
const LOGINS = [
  { path: `/api/collections/${DAEMONS}/auth-with-password`, kind: "daemon", isOld: false },
  { path: "/api/collections/_superusers/auth-with-password", kind: "superuser", isOld: false },
  { path: "/api/admins/auth-with-password", kind: "superuser", isOld: true },
] as const;

function refreshPath({ kind, isOld }: Account): string {
  if (kind === "daemon") return `/api/collections/${DAEMONS}/auth-refresh`;
  return isOld ? "/api/admins/auth-refresh" : "/api/collections/_superusers/auth-refresh";
}

interface LoginAnswer {
  readonly token?: unknown;
  readonly record?: LoginRecord;
  /** Before 0.23. */
  readonly admin?: LoginRecord;
}
interface LoginRecord {
  readonly id?: string;
  readonly name?: string;
  readonly email?: string;
}

type Method = NonNullable<Question["method"]>;

const PAGE = 200;
/** More are not ours. */
const MOST_RECORDS = 20_000;
const REFUSALS = new Set([401, 403, 404]);

async function fetchWith(system: ServerSystem, url: string, config: RequestInit, signal: AbortSignal): Promise<Response> {
  const headers = Object.fromEntries(new Headers(config.headers));
  const question = {
    method: (config.method ?? "GET") as Method,
    headers,
    ...(typeof config.body === "string" ? { body: config.body } : {}),
  };
  const { status, headers: answered, text } = await system.askRemote(url, question, signal);
  const isEmpty = status === 204 || status === 304;
  return new Response(isEmpty ? null : text, { status: status < 200 ? 502 : status, headers: answered });
}

function nonsense(url: string): ServerFailure {
  return new ServerFailure(502, {}, "interrupted", `Cannot use ${url}: it does not respond like a PocketBase server`, {
    hint: "Check pocketbase.url.",
  });
}

function failureOf(error: unknown, url: string): ServerFailure {
  if (error instanceof ServerFailure) return error;
  if (!(error instanceof ClientResponseError)) throw error;
  const { status, response } = error;
  if (status === 0) {
    const code = error.isAbort ? "timeout" : "unreachable";
    const reason = error.isAbort ? "it did not answer in time" : "no connection";
    return new ServerFailure(0, {}, code, `Cannot reach ${url}: ${reason}`, {
      hint: "Deliveries continue without it. Check the network, and that PocketBase is running.",
      cause: error,
    });
  }
  const data: unknown = response?.["data"];
  const fields = Object.fromEntries(
    Object.entries(typeof data === "object" && data !== null ? data : {}).map((
      [key, value],
    ) => [key, String((value as { message?: unknown } | null)?.message ?? value)]),
  );
  const detail = Object.entries(fields).map(([key, message]) => `${key}: ${message}`).join("; ");
  const said = printable(detail === "" ? String(response?.["message"] ?? error.message) : detail).slice(0, 300).replace(
    /\.$/,
    "",
  );
  const code = status === 401 || status === 403
    ? "permission_denied"
    : status >= 500 || status === 429
    ? "interrupted"
    : "configuration";
  return new ServerFailure(status, fields, code, `${url} refused a request (HTTP ${status}): ${said}`, { cause: error });
}
