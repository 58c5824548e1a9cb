/**
 * The listener for commands: HTTP on 127.0.0.1, any free port, for whoever can read `control.json` in the state directory: that tells where a running
 * daemon listens, and the secret that commands need. Readable by its owner only; written when the daemon listens, removed when it stops.
 */
import { join } from "@std/path";
import * as z from "zod";
import { anySignal } from "../../async/abort.ts";
import type { Failure } from "../../domain/failure.ts";
import { jsonOf } from "../../domain/json.ts";
import type { System } from "../../system/system.ts";

const controlFile = z.object({
  port: z.int().min(1).max(65535),
  secret: z.string().regex(/^[0-9a-f]{64}$/),
  pid: z.int().positive(),
  version: z.string(),
  url: z.string().nullable(),
});

/** `secret` is 64 hex digits, new at each start of a daemon. */
export type ControlFile = z.infer<typeof controlFile>;

export function controlPath(stateDirectory: string): string {
  return join(stateDirectory, "control.json");
}

/** The file's content; null if it is not a control file. */
export function parseControlFile(text: string): ControlFile | null {
  return controlFile.safeParse(jsonOf(text)).data ?? null;
}

/** A failure as the control channel and the API send it. */
export type SentFailure = Pick<Failure, "code" | "message" | "hint">;

/** Every answer of the daemon carries its process id: another program on the same port does not. */
export const PID_HEADER = "image-transfer-pid";

interface ControlServerOptions {
  readonly stateDirectory: string;
  readonly version: string;
  /** Where the page is; null without one. */
  readonly url: string | null;
  readonly system: Pick<System, "listen" | "writeText" | "readText" | "remove" | "pid" | "randomHex">;
  readonly onError: (error: unknown) => void;
}

interface CommandsApp {
  fetch(request: Request, origin: { readonly listener: "commands"; readonly secret: string }): Response | Promise<Response>;
}

export type ControlServer = Awaited<ReturnType<typeof controlServer>>;

/**
 * Listens, and writes `control.json`; ends, and takes the file away, when the signal is aborted.
 *
 * @throws what keeps it from listening or writing (errors of the operating system).
 */
export async function controlServer(app: CommandsApp, options: ControlServerOptions, signal: AbortSignal) {
  const { system, stateDirectory, version, onError } = options;
  const secret = system.randomHex(32);
  const ended = anySignal(signal);
  const server = await system.listen(
    { host: "127.0.0.1", port: 0, handler: (request) => app.fetch(request, { listener: "commands", secret }), onError },
    ended.signal,
  );
  const path = controlPath(stateDirectory);
  const write = (url: string | null) => {
    const content: ControlFile = { port: server.port, secret, pid: system.pid, version, url };
    return system.writeText(path, `${JSON.stringify(content, null, 2)}\n`, 0o600);
  };
  try {
    await write(options.url);
  } catch (error) {
    ended.abort();
    await server.finished;
    throw error;
  }
  // One after the other, and none after the file was taken away: the page's address changes once more while the daemon stops.
  let isOver = false;
  let written = Promise.resolve();
  /** Writes a changed address of the page into `control.json`, unless that is being taken away. */
  const announce = (url: string | null): Promise<void> => {
    const announced = written.then(() => isOver ? undefined : write(url));
    written = announced.catch(() => undefined);
    return announced;
  };
  /** Resolves when nothing listens any more and the file is gone. */
  const finished = server.finished.then(async () => {
    ended[Symbol.dispose]();
    isOver = true;
    await written;
    // A daemon started since has its own file there.
    if (parseControlFile(await system.readText(path))?.secret === secret) await system.remove(path);
  }).catch(onError);
  return { port: server.port, finished, announce };
}
