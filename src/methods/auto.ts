/**
 * The method auto: the fastest of what both ends can do, as `deno task bench` measures it: tar, else rsync, else sftp, else scp; for this
 * computer, `config/` takes local. Only a missing tool leads to the next: a refused login would be refused again. A tool may also turn
 * out to be missing when the first file is sent; the next session leaves that method out.
 */
import { perOwner } from "../async/mutex.ts";
import { Failure } from "../domain/failure.ts";
import type { Destination, Transport } from "../config/settings.ts";
import { isLimited } from "./bandwidth.ts";
import type { Connector, Method, MethodContext, Session } from "./method.ts";

/**
 * No method of its own: the session it opens names the one that was chosen.
 *
 * @throws {Failure} `tool_missing` where none of them can be used; what each of them throws besides.
 */
export const auto: Connector<"auto"> = {
  async connect(destination, context, signal) {
    const missing: string[] = [];
    const now = () => context.system.monotonic();
    const unusableUntil = unusableMethods(context.system);
    const { names: all, because } = inOrder(destination, context);
    const usable = all.filter((name) => (unusableUntil.get(keyOf(name, destination)) ?? -Infinity) < now());
    const names = usable.length > 0 ? usable : all;
    for (const [index, name] of names.entries()) {
      const chosen = { ...destination, transport: { ...destination.transport, method: name } };
      const method = await CANDIDATES[name]();
      const session = await tryMethod(() => method.connect(chosen, context, signal), missing);
      if (session === null) continue;
      const failed = name === all[0] ? [] : missing.length > 0 ? missing : [`${all[0]} could not send a file before`];
      tellChoice(name, destination, context, failed.length > 0 ? failed.join("; ") : because);
      const next = names[index + 1];
      if (next === undefined) return session;
      return {
        ...session,
        put: orNext(session.put, next, () => unusableUntil.set(keyOf(name, destination), now() + LEFT_OUT_MS)),
      };
    }
    throw new Failure("tool_missing", `Cannot reach ${destination.name} by tar, rsync, sftp or scp: ${missing.join("; ")}`, {
      hint: "Allow SFTP on the server, or install tar or rsync there.",
    });
  },
};

/** Fastest first, and why the first is. */
function inOrder(
  destination: AutoDestination,
  { system: { platform } }: MethodContext,
): { readonly names: readonly Candidate[]; readonly because: string } {
  if (destination.transport.rsyncOptions.length > 0) {
    return { names: ["rsync", "tar", "sftp", "scp"], because: "rsync_options are set" };
  }
  if (isLimited(destination)) {
    const names: Candidate[] = platform === "windows" ? ["sftp", "tar", "rsync", "scp"] : ["tar", "sftp", "rsync", "scp"];
    return { names, because: "it keeps bandwidth_limit best" };
  }
  // Connections cannot be shared there: each batch by tar would be a login of its own.
  if (platform === "windows") return { names: ["rsync", "sftp", "tar", "scp"], because: "it is the fastest that Windows can do" };
  return { names: ["tar", "rsync", "sftp", "scp"], because: "it is the fastest that both ends can do" };
}

/** Once, and again when the choice changes. */
function tellChoice(name: Candidate, destination: AutoDestination, { system, log }: MethodContext, because: string): void {
  const key = JSON.stringify([destination.job, destination.name]);
  const message = `transfer_method auto chose ${name}: ${because}`;
  const told = toldOf(system);
  log(told.get(key) === message ? "debug" : "info", message);
  told.set(key, message);
}

/** What was told last, by job and destination. */
const toldOf = perOwner(() => new Map<string, string>());

type AutoDestination = Destination<Transport<"auto">>;
type Candidate = "tar" | "rsync" | "sftp" | "scp";

/** Each is loaded when it is tried. */
const CANDIDATES: Readonly<Record<Candidate, () => Promise<Method<Candidate>>>> = {
  tar: async () => (await import("./tar/tar.ts")).tar,
  rsync: async () => (await import("./rsync/rsync.ts")).rsync,
  sftp: async () => (await import("./sftp/sftp.ts")).sftp,
  scp: async () => (await import("./scp/scp.ts")).scp,
};

/** How long a method that could connect but not send is left out; the server may be repaired meanwhile. */
const LEFT_OUT_MS = 3_600_000;

/** Those methods by login, with the time of the monotonic clock until which they are left out. */
const unusableMethods = perOwner(() => new Map<string, number>());

function keyOf(name: Candidate, { transport: { host, user, port } }: AutoDestination): string {
  return JSON.stringify([name, host, user, port]);
}

/** The same `put`, but a missing tool ends the session only: the next one takes another method. */
function orNext(put: Session["put"], next: string, found: () => void): Session["put"] {
  return async (...uploads) => {
    try {
      return await put(...uploads);
    } catch (error) {
      if (!(error instanceof Failure) || error.code !== "tool_missing") throw error;
      found();
      throw new Failure("interrupted", `${error.message}; the next method is ${next}`, { hint: error.hint, cause: error });
    }
  };
}

async function tryMethod(connect: () => Promise<Session>, missing: string[]): Promise<Session | null> {
  try {
    return await connect();
  } catch (error) {
    if (!(error instanceof Failure) || error.code !== "tool_missing") throw error;
    missing.push(error.message);
    return null;
  }
}
