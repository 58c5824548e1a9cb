/**
 * The method auto: local for this computer without a user, else rsync where both ends have a fit one, else sftp, else
 * scp. Only a missing tool leads to the next: a refused login would be refused again. A tool may also turn out to be missing when
 * the first file is sent; the next session leaves that method out.
 *
 * @module
 */
import { Failure } from "../domain/failure.ts";
import type { Destination } from "../domain/job.ts";
import { local } from "./local/local.ts";
import type { Method, Session } from "./method.ts";
import { rsync } from "./rsync/rsync.ts";
import { scp } from "./scp/scp.ts";
import { sftp } from "./sftp/sftp.ts";

/**
 * No method of its own: the session it opens names the one that was chosen.
 *
 * @throws {Failure} `tool_missing` where none of them can be used; what each of them throws besides.
 */
export const auto: Pick<Method, "connect"> = {
  async connect(destination, context, signal) {
    if (isHere(destination)) return await local.connect({ ...destination, method: "local" }, context, signal);
    const missing: string[] = [];
    const now = () => context.system.monotonic();
    const fit = METHODS.filter((method) => (unfit.get(keyOf(method, destination)) ?? -Infinity) < now());
    const methods = fit.length > 0 ? fit : METHODS;
    for (const [index, method] of methods.entries()) {
      const session = await tryMethod(() => method.connect({ ...destination, method: method.name }, context, signal), missing);
      if (session === null) continue;
      const next = methods[index + 1]?.name;
      if (next === undefined) return session;
      return { ...session, put: orNext(session.put, next, () => unfit.set(keyOf(method, destination), now() + UNFIT_MS)) };
    }
    throw new Failure("tool_missing", `Cannot reach ${destination.name} by rsync, sftp or scp: ${missing.join("; ")}`, {
      hint: "Allow SFTP on the server, or install rsync on both sides.",
    });
  },
};

const METHODS: readonly Method[] = [rsync, sftp, scp];

/** How long a method that could connect but not carry is left out; the server may be mended meanwhile. */
const UNFIT_MS = 3_600_000;

/** Those methods by login, with the time of the monotonic clock until which they are left out. */
const unfit = new Map<string, number>();

function keyOf({ name }: Method, { host, user, port }: Destination): string {
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

/** True for this computer itself. A user or a port asks for a login. */
function isHere({ host, user, port }: Pick<Destination, "host" | "user" | "port">): boolean {
  return host === null || (host.toLowerCase() === "localhost" && user === null && port === null);
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
