/**
 * The method auto: rsync where both ends have one that fits, else sftp, else scp; for this computer, `config/` takes local. Only a
 * missing tool leads to the next: a refused login would be refused again. A tool may also turn out to be missing when the
 * first file is sent; the next session leaves that method out.
 *
 * @module
 */
import { Failure } from "../domain/failure.ts";
import type { SshDestination } from "../config/settings.ts";
import type { Connector, Method, Session } from "./method.ts";
import { rsync } from "./rsync/rsync.ts";
import { scp } from "./scp/scp.ts";
import { sftp } from "./sftp/sftp.ts";

/**
 * No method of its own: the session it opens names the one that was chosen.
 *
 * @throws {Failure} `tool_missing` where none of them can be used; what each of them throws besides.
 */
export const auto: Connector<"auto"> = {
  programs: ["ssh"],
  async connect(destination, context, signal) {
    const missing: string[] = [];
    const now = () => context.system.monotonic();
    const usable = METHODS.filter((method) => (unusableUntil.get(keyOf(method, destination)) ?? -Infinity) < now());
    const methods = usable.length > 0 ? usable : METHODS;
    for (const [index, method] of methods.entries()) {
      const chosen = { ...destination, transport: { ...destination.transport, method: method.name } };
      const session = await tryMethod(() => method.connect(chosen, context, signal), missing);
      if (session === null) continue;
      const next = methods[index + 1]?.name;
      if (next === undefined) return session;
      return {
        ...session,
        put: orNext(session.put, next, () => unusableUntil.set(keyOf(method, destination), now() + LEFT_OUT_MS)),
      };
    }
    throw new Failure("tool_missing", `Cannot reach ${destination.name} by rsync, sftp or scp: ${missing.join("; ")}`, {
      hint: "Allow SFTP on the server, or install rsync on both sides.",
    });
  },
};

type Candidate = Method<"rsync" | "sftp" | "scp">;
const METHODS: readonly Candidate[] = [rsync, sftp, scp];

/** How long a method that could connect but not send is left out; the server may be repaired meanwhile. */
const LEFT_OUT_MS = 3_600_000;

/** Those methods by login, with the time of the monotonic clock until which they are left out. */
const unusableUntil = new Map<string, number>();

function keyOf({ name }: Candidate, { transport: { host, user, port } }: SshDestination): string {
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
