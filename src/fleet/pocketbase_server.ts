/**
 * One PocketBase server, as one account sees it. Requests log in when they must, have a time limit and are repeated where that is safe;
 * an answer that is not what PocketBase would say is a failure, never data.
 *
 * PocketBase's HTTP API: https://pocketbase.io/docs/api-records/
 */
import * as z from "zod";
import { type Deadline, deadline } from "../async/deadline.ts";
import { mutex } from "../async/mutex.ts";
import type { PocketbaseSettings } from "../config/settings.ts";
import { Failure } from "../domain/failure.ts";
import { jsonOf } from "../domain/json.ts";
import { printable } from "../domain/names/printable.ts";
import { reasonOf } from "../domain/names/reason.ts";
import { passwordIn } from "../system/files/password_file.ts";
import type { RemoteQuestion, System } from "../system/system.ts";
import { DAEMONS, NO_MAIL, THROUGH_CLAIMS } from "./collections.ts";
import { nonsense, otherProgram, refused, ServerFailure, tooOld, understood, unprepared, unreached } from "./server_failure.ts";
import { anySignal, untilAborted } from "../async/abort.ts";

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

/** Where accounts log in: a daemon's and a superuser's. */
const LOGINS = [
  { collection: DAEMONS, kind: "daemon" },
  { collection: "_superusers", kind: "superuser" },
] as const;

const PAGE = 200;
/** More are not ours, nor is more of them: 10,000 heartbeats of 50 destinations each are less. */
const MOST_RECORDS = 20_000;
const MOST_READ = 100_000_000;
/** A page of records; more is no answer of PocketBase. */
const MOST_ANSWER = 8 * 1024 * 1024;
/** More of a line of the realtime stream is passed over. */
const MOST_LINE = 1_000;
/** More of it without a change is nothing of PocketBase. */
const MOST_NOISE = 4 * 1024 * 1024;
const REFUSALS = new Set([401, 403, 404]);
const LOGIN_REFUSALS = new Set([400, 401, 403, 404]);
/** How long a server that did not answer a login in time is left alone: first, and at most. */
const SLOW_MS = 5_000;
const LONGEST_SLOW_MS = 120_000;
/** How long a rejected password is not tried again, unless another one is set. */
const LOGIN_AGAIN_MS = 300_000;

const loginAnswer = z.object({
  token: z.string(),
  record: z.object({ id: z.string(), name: z.unknown().optional(), email: z.unknown().optional() }),
});
const records = z.object({ items: z.array(z.looseObject({})) });

export type PocketbaseServer = ReturnType<typeof pocketbaseServer>;

/** Connects with nobody yet: the first request logs in. */
export function pocketbaseServer(settings: PocketbaseSettings, system: ServerSystem) {
  const { url, adminEmail } = settings;
  const inTurn = mutex();
  /** Null until it is logged in. */
  let login: { readonly account: Account; token: string } | null = null;
  /** The password that it was last logged in with. */
  let goodPassword: string | null = null;
  /** The password that was rejected, and until when it is not tried again: servers lock out who tries too often. */
  let rejected: { readonly password: string; readonly until: number; readonly failure: ServerFailure } | null = null;
  /** It did not answer a login in time, and is not asked for one until then. */
  let slow: { readonly until: number; readonly pauseMs: number; readonly failure: ServerFailure } | null = null;
  /** The server asked to be left alone until then. */
  let resting: { readonly until: number; readonly failure: ServerFailure } | null = null;

  /** With its time limit. @throws {ServerFailure} where there is no whole answer. */
  async function fetchOnce(path: string, question: RemoteQuestion, signal: AbortSignal) {
    const ca = await trustedIn(settings.tlsCa, system);
    using limit = deadline(settings.timeoutMs, system, signal);
    const asked = { ...question, ...ca, mostCharacters: MOST_ANSWER };
    try {
      return await system.askRemote(`${url.replace(/\/$/, "")}${path}`, asked, limit.signal);
    } catch (error) {
      signal.throwIfAborted();
      throw unreached(url, error, limit.passed);
    }
  }

  async function sendOnce(path: string, question: Question, signal: AbortSignal): Promise<unknown> {
    if (resting !== null && system.monotonic() < resting.until) throw resting.failure;
    const { method = "GET", query = {}, body } = question;
    const words = Object.entries(query).map(([key, value]) => `${key}=${encodeURIComponent(value)}`).join("&");
    const headers = {
      accept: "application/json",
      ...(login === null ? {} : { authorization: login.token }),
      ...(body === undefined ? {} : { "content-type": "application/json" }),
    };
    const asked = { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
    const answer = await fetchOnce(words === "" ? path : `${path}?${words}`, asked, signal);
    if (answer.status >= 300) {
      const failure = refused(url, answer, system.now());
      if (failure.retryAfterMs > 0) resting = { until: system.monotonic() + failure.retryAfterMs, failure };
      throw failure;
    }
    resting = null;
    const other = otherProgram(url, answer);
    if (other !== null) throw other;
    if (answer.text === "") return {};
    // Half an answer, a page for people, or a number is none of PocketBase's.
    const value = answer.text.length > MOST_ANSWER ? undefined : jsonOf(answer.text);
    if (typeof value !== "object" || value === null) throw nonsense(url);
    return value;
  }

  /** One request, as often as the settings say if it is safe to repeat. */
  async function send(path: string, question: Question, signal: AbortSignal): Promise<unknown> {
    for (let attempt = 0;; attempt++) {
      try {
        return await sendOnce(path, question, signal);
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof ServerFailure)) throw error;
        const isSafe = error.status === 429 ||
          ((question.method ?? "GET") === "GET" && (error.status === 0 || error.status >= 500));
        // Who asks waits no longer than for a slow server; the next request is not sent before it may be, either.
        if (!isSafe || attempt >= settings.retryAttempts || error.retryAfterMs > settings.timeoutMs) throw error;
        await system.sleep(Math.max(settings.retryDelayMs * (attempt + 1), error.retryAfterMs), signal);
        signal.throwIfAborted();
      }
    }
  }

  async function logIn(signal: AbortSignal): Promise<Account> {
    const { adminPasswordFile, adminPassword, refreshMs } = settings;
    const password = adminPasswordFile === null
      ? adminPassword ?? ""
      : await passwordIn("admin_password_file", adminPasswordFile, system);
    if (rejected?.password === password && system.monotonic() < rejected.until) throw rejected.failure;
    if (slow !== null && system.monotonic() < slow.until) throw slow.failure;
    login = null;
    // Accounts that `pocketbase setup --add` makes are daemons' only: what fails counts as an attack on servers that limit logins.
    const isDaemon = adminEmail.endsWith(`@${NO_MAIL}`);
    let status = 400;
    for (const { collection, kind } of isDaemon ? LOGINS.slice(0, 1) : LOGINS) {
      try {
        const path = `/api/collections/${collection}/auth-with-password`;
        const answer = await send(path, { method: "POST", body: { identity: adminEmail, password } }, signal);
        const { token, record } = understood(loginAnswer, answer, url);
        const account = { kind, id: record.id, name: String((kind === "daemon" ? record.name : record.email) ?? "") };
        login = { account, token };
        goodPassword = password;
        rejected = null;
        slow = null;
        return account;
      } catch (error) {
        if (!(error instanceof ServerFailure)) throw error;
        if (error.code === "timeout") slow = slower(error);
        if (!LOGIN_REFUSALS.has(error.status)) throw error;
        if (error.status === 404 && kind === "superuser") throw tooOld(url);
        if (error.status !== 400) status = error.status;
      }
    }
    const failure = status === 404 && isDaemon
      ? unprepared(url)
      : loginRefused(status, url, adminEmail, goodPassword === password);
    rejected = { password, until: system.monotonic() + Math.min(LOGIN_AGAIN_MS, refreshMs), failure };
    throw failure;
  }

  /**
   * To check a password costs a server some time of its processor, also for who has given up waiting. When thousands of computers start
   * after a power cut, asking again at once would keep it from ever answering one.
   */
  function slower(failure: ServerFailure) {
    const pauseMs = Math.min(slow === null ? SLOW_MS : slow.pauseMs * 2, LONGEST_SLOW_MS);
    return { until: system.monotonic() + pauseMs * (0.5 + system.random()), pauseMs, failure };
  }

  const account = (signal: AbortSignal): Promise<Account> => inTurn(async () => login?.account ?? await logIn(signal));

  const renew = (signal: AbortSignal): Promise<Account> =>
    inTurn(async () => {
      const present = login;
      if (present === null) return await logIn(signal);
      try {
        const { collection } = LOGINS.find(({ kind }) => kind === present.account.kind)!;
        const answer = await send(`/api/collections/${collection}/auth-refresh`, { method: "POST" }, signal);
        present.token = understood(loginAnswer.pick({ token: true }), answer, url).token;
        return present.account;
      } catch (error) {
        if (!(error instanceof ServerFailure) || !REFUSALS.has(error.status)) throw error;
        login = null;
        return await logIn(signal);
      }
    });

  async function ask<T>(path: string, question: Question, signal: AbortSignal): Promise<T> {
    await account(signal);
    try {
      return await send(path, question, signal) as T;
    } catch (error) {
      // A login that has ended looks like a missing right, or, where something is created, like a full disk.
      if (!(error instanceof ServerFailure) || !(REFUSALS.has(error.status) || error.isUnsaved)) throw error;
      await renew(signal);
      return await send(path, question, signal) as T;
    }
  }

  async function list<T>(path: string, query: Question["query"], signal: AbortSignal): Promise<T[]> {
    const found: T[] = [];
    let read = 0;
    for (let page = 1;; page++) {
      const question = { query: { perPage: PAGE, skipTotal: 1, sort: "id", ...query, page } };
      const { items } = understood(records, await ask(path, question, signal), url);
      found.push(...items as T[]);
      if (items.length < PAGE) return found;
      read += JSON.stringify(items).length;
      if (found.length > MOST_RECORDS || read > MOST_READ) throw nonsense(url);
    }
  }

  /**
   * Calls back when records change, after `hearing` was called, until the connection ends, or no event has come for `silentMs`. `changed` is by
   * topic: `collection/*` or `collection/ID`. These are server-sent events over one connection
   * (https://html.spec.whatwg.org/multipage/server-sent-events.html). @throws {Failure}
   */
  async function listen(
    changed: ReadonlyMap<string, () => void>,
    { hearing, silentMs }: { readonly hearing: () => void; readonly silentMs: number },
    signal: AbortSignal,
  ): Promise<void> {
    const ca = await trustedIn(settings.tlsCa, system);
    // Ends the connection however this function is left.
    using connection = anySignal(signal);
    const inTime = async <T>(work: Promise<T>, limit: Deadline): Promise<T> => {
      try {
        return await untilAborted(work, limit.signal);
      } catch (error) {
        signal.throwIfAborted();
        throw error instanceof Failure ? error : unreached(url, error, limit.passed);
      }
    };
    using connecting = deadline(settings.timeoutMs, system, signal);
    const question = { method: "GET", headers: { accept: "text/event-stream" }, ...ca } as const;
    const address = `${url.replace(/\/$/, "")}/api/realtime`;
    const { status, headers, pieces } = await inTime(system.hearRemote(address, question, connection.signal), connecting);
    if (status !== 200) throw refused(url, { status, headers, text: "" }, system.now());
    const events = eventReader();
    let noise = 0;
    for (let isConnected = false;;) {
      // Not measured from piece to piece: a proxy may keep a connection open on which no event comes any more.
      using silence = deadline(silentMs, system, signal);
      for (let isSilent = true; isSilent;) {
        const piece = await inTime(pieces.next(), isConnected ? silence : connecting).catch((error) => {
          // Half open, or nothing could be written there: the next connection tells whether the server answers.
          if (silence.passed && isConnected) return null;
          throw error;
        });
        if (piece === null || piece.done) return;
        const { value } = piece;
        noise += value.length;
        for (const { event, id: clientId } of events(value)) {
          if (event === "PB_CONNECT" && !isConnected) {
            const body = { clientId, subscriptions: [...changed.keys()] };
            await ask("/api/realtime", { method: "POST", body }, signal);
            isConnected = true;
            hearing();
          }
          changed.get(event)?.();
          noise = 0;
          isSilent = false;
        }
        if (noise > MOST_NOISE) throw nonsense(url);
      }
    }
  }

  return {
    url,
    /** The account, logged in. @throws {Failure} */
    account,
    /**
     * Checks that the login still holds, and renews it: with one that has ended, lists look empty. Another object than before is
     * another login. @throws {Failure}
     */
    renew,
    /** Asks as the account. @throws {Failure} with what the server says of it. */
    ask,
    /** All records of a collection that the account may see. @throws {Failure} */
    all: <T>(collection: string, query: Question["query"], signal: AbortSignal): Promise<T[]> =>
      list<T>(`/api/collections/${collection}/records`, query, signal),
    /** All that an address lists, page by page. @throws {Failure} */
    list,
    /** Where the collections are there. @throws {Failure} if it is a server before 0.32, which shows an account more than it may see. */
    async requireCurrent(signal: AbortSignal): Promise<void> {
      // Without a login: a superuser may see everything.
      const path = `/api/collections/${DAEMONS}/records?filter=${encodeURIComponent(THROUGH_CLAIMS)}`;
      const { status } = await fetchOnce(path, { method: "GET", headers: {} }, signal);
      if (status === 200) throw tooOld(url);
    },
    /** The server's clock, milliseconds since 1970 UTC, exact to a second. @throws {Failure} */
    async clock(signal: AbortSignal): Promise<number> {
      const { headers } = await fetchOnce("/api/health", { method: "GET", headers: {} }, signal);
      const told = Date.parse(headers.get("date") ?? "");
      return Number.isNaN(told) ? system.now() : told;
    },
    listen,
  };
}

/** `2026-01-15 20:00:00.123Z`, as PocketBase writes times; 0, long ago, if it is none. */
export function timeOf(written: unknown): number {
  const time = Date.parse(String(written).replace(" ", "T"));
  return Number.isNaN(time) ? 0 : time;
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

/**
 * What a request says of the certificates of `pocketbase.tls_ca`; nothing where no file is set. They are read again for each request, so that a renewed
 * file counts at once. @throws {Failure} `configuration` if the file cannot be used.
 */
async function trustedIn(file: string | null, system: Pick<System, "readText">): Promise<Pick<RemoteQuestion, "ca">> {
  if (file === null) return {};
  const refuse = (reason: string, cause?: unknown) =>
    new Failure("configuration", `The certificates of tls_ca cannot be read: ${printable(file)}: ${reason}`, {
      hint: "Check that tls_ca is a file with certificates in PEM form, which this account may read.",
      cause,
    });
  let ca: string;
  try {
    ca = await system.readText(file);
  } catch (cause) {
    throw refuse(reasonOf(cause), cause);
  }
  if (!ca.includes("-----BEGIN CERTIFICATE-----")) throw refuse("there is no certificate in it");
  return { ca };
}

// Only which collection changed is of interest, so whatever the server sends, little of it is kept.

/** Gives the events that end in a piece of text. */
function eventReader(): (piece: string) => { readonly event: string; readonly id: string }[] {
  let line = "";
  let fields: Record<string, string> = {};
  return (piece) => {
    const ended: { event: string; id: string }[] = [];
    const [first = "", ...others] = piece.split("\n");
    line = (line + first).slice(0, MOST_LINE);
    for (const other of others) {
      const [, key, value] = /^(event|id):\s?(.*?)\r?$/.exec(line) ?? [];
      if (key !== undefined && value !== undefined) fields[key] = value;
      if (line.trim() === "") {
        if (fields["event"] !== undefined) ended.push({ event: fields["event"], id: fields["id"] ?? "" });
        fields = {};
      }
      line = other.slice(0, MOST_LINE);
    }
    return ended;
  };
}
