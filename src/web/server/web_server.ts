/**
 * The web server, kept in step with the configuration. If it cannot listen, because the port is taken or a certificate is missing, it
 * says so once and keeps trying; delivery never waits for it.
 */
import { bracketed } from "../../domain/names/printable.ts";
import type { WebSettings } from "../../config/settings.ts";
import type { Fault, System } from "../../system/system.ts";
import { type AccountSystem, isOwnAccount } from "../auth/access.ts";
import type { Opening } from "../../reports/daemon_control.ts";
import { authentication } from "../auth/authentication.ts";
import { liveHub } from "../live/live_hub.ts";
import type { PageSource } from "../../reports/page_source.ts";
import { previews, type PreviewSystem } from "../api/previews.ts";
import { type AccessSystem, openAccess } from "../auth/token.ts";
import type { PageServing, WebEnv } from "./refusal.ts";
import { anySignal } from "../../async/abort.ts";
import type { Emit } from "../../domain/transfer_event.ts";
import { type Cause, CAUSES, filled } from "../../domain/causes.ts";
import { Failure, failureRecord } from "../../domain/failure.ts";
import { reasonOf } from "../../domain/names/reason.ts";
import { faultOf } from "../../system/fault.ts";

/** What a server needs besides its settings. */
interface WebServerTools {
  readonly source: PageSource;
  /** Answers a request at the page's address. */
  readonly answer: (request: Request, env: WebEnv["Bindings"]) => Response | Promise<Response>;
  readonly metrics: PageServing["metrics"];
  readonly stateDirectory: string;
  readonly system: AccountSystem & AccessSystem & PreviewSystem & Pick<System, "listen" | "certifies" | "hostname">;
  readonly onError: (error: unknown) => void;
  readonly emit: Emit;
  /** Called with the address of the page; null while there is none. */
  readonly moved: (url: string | null) => void;
}

/** The server of a page while it listens. */
type WebServer = Awaited<ReturnType<typeof startWebServer>>;

/**
 * Listens until the signal is aborted.
 *
 * @throws what keeps it from listening; {@linkcode listenFailure} says it in words.
 */
async function startWebServer(settings: WebSettings, tools: WebServerTools, signal: AbortSignal) {
  const { system, source, onError } = tools;
  const access = await openAccess(tools.stateDirectory, settings.token, system, onError);
  const tls = await readTls(settings, system);
  const auth = authentication(access, tls !== null, system, settings.metricsToken);
  const serving: PageServing = {
    auth,
    own: {
      listen: settings.host,
      hostname: system.hostname,
      secure: tls !== null,
      certifies: (host) => tls !== null && system.certifies(tls.cert, host),
    },
    hub: liveHub(source, { system, onError }, signal),
    previews: previews(system, signal),
    metrics: settings.metrics ? tools.metrics : null,
  };
  const listening = await system.listen({
    host: settings.host,
    port: settings.port,
    handler: (request, peer) => {
      const isOwn = () => isOwnAccount(peer, listening.port, system, signal);
      return tools.answer(request, { ...serving, peer: peer.host, isOwnAccount: isOwn });
    },
    ...(tls === null ? {} : { tls }),
    onError,
  }, signal);
  const url = `${tls === null ? "http" : "https"}://${shownHost(settings.host, system.hostname)}:${listening.port}/`;
  return {
    /** The address of the page, for those who have a session. */
    url,
    /** The address with the token in it, for the start-up line; without, where a token is configured: who configured it knows it. */
    startUrl: access.configured ? url : `${url}?token=${access.token}`,
    /** Addresses that open the page now. */
    opening: (): Opening => ({
      once: `${url}?token=${auth.ticket("own")}`,
      shown: `${url}?token=${access.configured ? auth.ticket("any") : access.token}`,
    }),
    /** Resolves when nothing listens any more after the signal was aborted. */
    finished: listening.finished.then(access.saved),
  };
}

function shownHost(host: string, hostname: string): string {
  if (host === "0.0.0.0" || host === "::") return hostname;
  return bracketed(host);
}

const TRY_AGAIN_MS = 30_000;

/** The one web server of a daemon, or none. Listens to nothing before it has settings; tries again every 30 s where it cannot. */
export function webPlace(tools: WebServerTools) {
  let settings: WebSettings | null = null;
  let serving: Awaited<ReturnType<typeof serve>> | null = null;

  async function stop(): Promise<void> {
    const former = serving;
    [serving, settings] = [null, null];
    if (former === null) return;
    await former.stop();
    tools.moved(null);
  }

  return {
    /** Makes these settings the ones in force. */
    async adopt(next: WebSettings | null): Promise<void> {
      // Certificates are renewed in place: a reload reads them again.
      if (JSON.stringify(next) === JSON.stringify(settings) && (next?.tlsCert ?? null) === null) return;
      await stop();
      settings = next;
      serving = next === null ? null : await serve(next, tools);
    },
    /** The server that listens now; null while none does. */
    server: () => serving?.server() ?? null,
    /** Resolves when nothing listens any more. */
    stop,
  };
}

/** Comes back when it listens, or has found that it cannot for now: then it keeps trying, silent until it works, as the reason has been logged. */
async function serve(settings: WebSettings, tools: WebServerTools) {
  const { emit, moved, system } = tools;
  const stopped = new AbortController();
  const { signal } = stopped;
  let server: WebServer | null = null;

  async function listen(words: (url: string) => string): Promise<void> {
    // Of its own: what a start that fails has begun must end.
    const end = anySignal(signal);
    try {
      server = await startWebServer(settings, tools, end.signal);
    } catch (error) {
      end.abort();
      throw error;
    }
    if (signal.aborted) return;
    moved(server.url);
    emit({ type: "notice", level: "info", message: words(server.url) });
  }

  async function keepTrying(): Promise<void> {
    while (server === null && !signal.aborted) {
      await system.sleep(TRY_AGAIN_MS, signal);
      if (signal.aborted) return;
      // Why it cannot has been said.
      await listen((url) => `The page is now available at ${url}`).catch(() => null);
    }
  }

  let trying = Promise.resolve();
  try {
    await listen((url) => `The page is at ${url} (to open it: image-transfer open)`);
  } catch (error) {
    const { message, hint } = listenFailure(settings, error);
    const why = `Cannot show the page at ${placeOf(settings)}: ${message}. Delivery continues. ${hint}`.trim();
    emit({ type: "notice", level: "warning", message: why });
    trying = keepTrying();
  }
  return {
    /** Null while it cannot listen. */
    server: () => server,
    /** Resolves when nothing listens any more. */
    async stop(): Promise<void> {
      stopped.abort();
      await trying;
      await server?.finished;
    },
  };
}

/** Certificate and key as they are on disk now; null where the page is served without TLS. */
export async function readTls(
  { tlsCert, tlsKey }: WebSettings,
  system: Pick<System, "readText">,
): Promise<{ readonly cert: string; readonly key: string } | null> {
  if (tlsCert === null || tlsKey === null) return null;
  return { cert: await readPem("web.tls_cert", tlsCert, system), key: await readPem("web.tls_key", tlsKey, system) };
}

async function readPem(key: string, path: string, system: Pick<System, "readText">): Promise<string> {
  try {
    return await system.readText(path);
  } catch (cause) {
    throw new Failure("configuration", `cannot read ${key} "${path}": ${reasonOf(cause)}`, {
      hint: `Correct the path in ${key}, or give this account read access to the file.`,
      cause,
    });
  }
}

/** Where it was tried to listen: `127.0.0.1:9090`. */
export function placeOf({ host, port }: Pick<WebSettings, "host" | "port">): string {
  return `${bracketed(host)}:${port}`;
}

/** What listening with these settings failed of. */
export function listenFailure(settings: WebSettings, error: unknown): Failure {
  if (error instanceof Failure) return error;
  const reason = reasonOf(error);
  const cause = LISTEN_FAULTS[faultOf(error)] ?? OTHER_FAULTS.find(([pattern]) => pattern.test(reason))?.[1];
  if (cause !== undefined) {
    const { tlsCert, tlsKey, host } = settings;
    const { code, reason: message, hint } = filled(cause, { reason, cert: tlsCert ?? "", key: tlsKey ?? "", host });
    return new Failure(code, message, { hint, cause: error });
  }
  const { message, hint } = failureRecord(error);
  return new Failure("configuration", message, { hint, cause: error });
}

const LISTEN_FAULTS: Partial<Readonly<Record<Fault, Cause>>> = { busy: CAUSES.port_taken, permission: CAUSES.port_denied };

const OTHER_FAULTS: readonly (readonly [RegExp, Cause])[] = [
  [/KeyMismatch/, CAUSES.tls_key_mismatch],
  [/certificate/i, CAUSES.tls_cert_unusable],
  [/\bkey\b/i, CAUSES.tls_key_unusable],
  [/assign requested address|not valid in its context|resolve|lookup/i, CAUSES.no_such_address],
];
