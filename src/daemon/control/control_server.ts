/**
 * The listener for commands: HTTP on 127.0.0.1, any free port, for whoever can read `control.json`.
 *
 * @module
 */
import { anySignal } from "../../async/abort.ts";
import type { System } from "../../system/system.ts";
import { type ControlFile, controlPath, parseControlFile } from "./control_file.ts";
import type { HttpApp } from "./http_app.ts";

/** Where `control.json` is written, and its content. */
interface ControlServerOptions {
  readonly stateDirectory: string;
  readonly version: string;
  /** Where the page is; null without one. */
  readonly url: string | null;
  readonly system: Pick<System, "listen" | "writeText" | "readText" | "remove" | "pid" | "randomHex">;
  /** Told of errors of the listener. */
  readonly onError: (error: unknown) => void;
}

/** The listening control channel. It ends, and takes its file away, when its signal is aborted. */
export interface ControlServer {
  readonly port: number;
  /** Resolves when nothing listens any more and `control.json` is gone. */
  readonly finished: Promise<void>;
  /** Writes a changed address of the page into `control.json`, unless that is being taken away. */
  announce(url: string | null): Promise<void>;
}

/**
 * Listens, and writes `control.json`.
 *
 * @throws what keeps it from listening or writing (errors of the operating system).
 */
export async function controlServer(
  app: HttpApp,
  options: ControlServerOptions,
  signal: AbortSignal,
): Promise<ControlServer> {
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
  const announce = (url: string | null) => {
    const announced = written.then(() => isOver ? undefined : write(url));
    written = announced.catch(() => undefined);
    return announced;
  };
  const finished = server.finished.then(async () => {
    ended[Symbol.dispose]();
    isOver = true;
    await written;
    // A daemon started since has its own file there.
    if (parseControlFile(await system.readText(path))?.secret === secret) await system.remove(path);
  }).catch(onError);
  return { port: server.port, finished, announce };
}
